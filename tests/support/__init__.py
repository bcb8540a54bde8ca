"""What several tests share: pictures, processes, references."""
