"""Sheets: many pictures, painted one after the other, captioned and composed into one.

Read `grid` first: it opens the pictures, plans a cell for each result, and returns the steps.

grid        every content in every style
explain     what the network keeps of a content, and of a style
proof       crops of a large picture at 100 %, and where they lie
trials      one picture in several strengths, stroke sizes and methods
plan        what all of them share: `SheetPlan` checks every cell, then paints them in turn
plate       pictures and captions composed into one picture; it knows nothing of painting
"""
