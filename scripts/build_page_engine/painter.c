/* The page's painter for the processor: what a network that paints at once is made of.
 *
 * Feature maps are float32, position by position (height, width, channels), with a border all
 * round which holds the edge once more, so that a convolution never asks where it is. The order of
 * the steps is the page's business (engine_wasm.js). Numbers of channels are multiples of 4, but
 * for a convolution's inputs.
 */
#include <stddef.h>
#include <stdint.h>
#include <wasm_simd128.h>

#define EXPORT(name) __attribute__((export_name(#name))) void name
#define INLINE static inline __attribute__((always_inline))
#define BLOCK 8 /* output channels at once: two vectors */
#define RUN 6   /* positions at once: 12 sums, as many as fit into the registers of a PC */

#ifdef RELAXED
#define MULTIPLY_ADD(a, b, c) wasm_f32x4_relaxed_madd(a, b, c)
#else
#define MULTIPLY_ADD(a, b, c) wasm_f32x4_add(wasm_f32x4_mul(a, b), c)
#endif

typedef struct {
    float *numbers;
    int height, width, channels, border;
} Map;

INLINE float *at(Map map, int y, int x) {
    const size_t row = y + map.border;
    return map.numbers + (row * (map.width + 2 * map.border) + x + map.border) * map.channels;
}

/* A run of positions of one row. Each row of the kernel sees one stretch of memory. */
INLINE void run_of(const float *in, size_t in_row, int step, int rows, int length,
                   const float *kernel, float *out, int out_step, const int run,
                   const int vectors) {
    v128_t sums[RUN][2];
    for (int p = 0; p < run; p++) sums[p][0] = sums[p][1] = wasm_f32x4_splat(0);
    for (int row = 0; row < rows; row++, in += in_row) {
        for (int k = 0; k < length; k++, kernel += 4 * vectors) {
            v128_t weights[2];
            for (int v = 0; v < vectors; v++) weights[v] = wasm_v128_load(kernel + 4 * v);
#pragma clang loop unroll(full)
            for (int p = 0; p < run; p++) {
                const v128_t value = wasm_v128_load32_splat(in + p * step + k);
                for (int v = 0; v < vectors; v++)
                    sums[p][v] = MULTIPLY_ADD(value, weights[v], sums[p][v]);
            }
        }
    }
    for (int p = 0; p < run; p++)
        for (int v = 0; v < vectors; v++) wasm_v128_store(out + p * out_step + 4 * v, sums[p][v]);
}

INLINE void channels_of(Map from, Map to, const float *kernel, int block, int size, int stride,
                        const int vectors) {
    const size_t in_row = (size_t)(from.width + 2 * from.border) * from.channels;
    const int step = stride * from.channels, length = size * from.channels;
    for (int y = 0; y < to.height; y++) {
        const float *in = at(from, y * stride - size / 2, -(size / 2));
        float *out = at(to, y, 0) + block;
        int x = 0;
        for (; x + RUN <= to.width; x += RUN, in += RUN * step, out += RUN * to.channels)
            run_of(in, in_row, step, size, length, kernel, out, to.channels, RUN, vectors);
        for (; x < to.width; x++, in += step, out += to.channels)
            run_of(in, in_row, step, size, length, kernel, out, to.channels, 1, vectors);
    }
}

/* Replicate padding (the border); height and width are those of the result, whose border is left
 * as it is. kernel: (outputs / 8, size, size, inputs, 8), at the end (1, size, size, inputs, 4) if
 * 4 outputs are left. */
EXPORT(convolve)(float *in, int in_border, const float *kernel, float *out, int out_border,
                 int height, int width, int inputs, int outputs, int size, int stride) {
    const Map from = {in, height * stride, width * stride, inputs, in_border};
    const Map to = {out, height, width, outputs, out_border};
    int block = 0;
    for (; block + BLOCK <= outputs; block += BLOCK) {
        channels_of(from, to, kernel, block, size, stride, 2);
        kernel += (size_t)size * size * inputs * BLOCK;
    }
    if (block < outputs) channels_of(from, to, kernel, block, size, stride, 1);
}

/* Winograd, F(4x4, 3x3): 36 products for 16 results instead of 144. Lavin, Gray, Fast Algorithms
 * for Convolutional Neural Networks, 2016. */

#define TILES 12 /* at once: what they become stays in the cache */

static inline void to_frequencies(const v128_t d[6], v128_t t[6]) {
    const v128_t two = wasm_f32x4_splat(2), four = wasm_f32x4_splat(4);
    const v128_t five = wasm_f32x4_splat(5);
    const v128_t a = wasm_f32x4_sub(d[4], wasm_f32x4_mul(four, d[2]));
    const v128_t b = wasm_f32x4_sub(d[3], wasm_f32x4_mul(four, d[1]));
    const v128_t c = wasm_f32x4_sub(d[4], d[2]);
    const v128_t e = wasm_f32x4_mul(two, wasm_f32x4_sub(d[3], d[1]));
    t[0] = wasm_f32x4_add(wasm_f32x4_sub(wasm_f32x4_mul(four, d[0]), wasm_f32x4_mul(five, d[2])),
                          d[4]);
    t[1] = wasm_f32x4_add(a, b);
    t[2] = wasm_f32x4_sub(a, b);
    t[3] = wasm_f32x4_add(c, e);
    t[4] = wasm_f32x4_sub(c, e);
    t[5] = wasm_f32x4_add(wasm_f32x4_sub(wasm_f32x4_mul(four, d[1]), wasm_f32x4_mul(five, d[3])),
                          d[5]);
}

static inline void from_frequencies(const v128_t m[6], v128_t r[4]) {
    const v128_t a = wasm_f32x4_add(m[1], m[2]), b = wasm_f32x4_sub(m[1], m[2]);
    const v128_t c = wasm_f32x4_add(m[3], m[4]), d = wasm_f32x4_sub(m[3], m[4]);
    r[0] = wasm_f32x4_add(wasm_f32x4_add(m[0], a), c);
    r[1] = wasm_f32x4_add(b, wasm_f32x4_mul(wasm_f32x4_splat(2), d));
    r[2] = wasm_f32x4_add(a, wasm_f32x4_mul(wasm_f32x4_splat(4), c));
    r[3] = wasm_f32x4_add(wasm_f32x4_add(b, wasm_f32x4_mul(wasm_f32x4_splat(8), d)), m[5]);
}

/* A kernel for `convolve_quickly`, made once: (outputs, inputs, 3, 3) to (36, outputs / 8, inputs,
 * 8). */
EXPORT(kernel_frequencies)(const float *kernel, float *out, int inputs, int outputs) {
    static const float g[6][3] = {{1.f / 4, 0, 0},
                                  {-1.f / 6, -1.f / 6, -1.f / 6},
                                  {-1.f / 6, 1.f / 6, -1.f / 6},
                                  {1.f / 24, 1.f / 12, 1.f / 6},
                                  {1.f / 24, -1.f / 12, 1.f / 6},
                                  {0, 0, 1}};
    for (int o = 0; o < outputs; o++)
        for (int i = 0; i < inputs; i++, kernel += 9) {
            float half[6][3];
            for (int r = 0; r < 6; r++)
                for (int c = 0; c < 3; c++)
                    half[r][c] = g[r][0] * kernel[c] + g[r][1] * kernel[3 + c] +
                                 g[r][2] * kernel[6 + c];
            for (int f = 0; f < 36; f++) {
                const float *h = half[f / 6], *w = g[f % 6];
                const size_t block = (size_t)f * (outputs / BLOCK) + o / BLOCK;
                out[(block * inputs + i) * BLOCK + o % BLOCK] =
                    h[0] * w[0] + h[1] * w[1] + h[2] * w[2];
            }
        }
}

/* One 6x6 piece of the map, four channels of it, to 36 frequencies that lie ``apart`` numbers from
 * one another. Beyond the border there are zeros: what they become is not kept. */
static inline void tile_in(Map map, int channel, int y, int x, float *out, size_t apart) {
    v128_t half[6][6];
    for (int c = 0; c < 6; c++) {
        v128_t column[6];
        for (int r = 0; r < 6; r++) {
            const int row = y + r - 1, place = x + c - 1;
            column[r] = row <= map.height && place <= map.width
                            ? wasm_v128_load(at(map, row, place) + channel)
                            : wasm_f32x4_splat(0);
        }
        v128_t found[6];
        to_frequencies(column, found);
        for (int r = 0; r < 6; r++) half[r][c] = found[r];
    }
    for (int r = 0; r < 6; r++) {
        v128_t found[6];
        to_frequencies(half[r], found);
        for (int c = 0; c < 6; c++) wasm_v128_store(out + (r * 6 + c) * apart, found[c]);
    }
}

static inline void tile_out(const float *in, size_t apart, Map map, int channel, int y, int x) {
    v128_t half[4][6];
    for (int c = 0; c < 6; c++) {
        v128_t column[6], found[4];
        for (int r = 0; r < 6; r++) column[r] = wasm_v128_load(in + (r * 6 + c) * apart);
        from_frequencies(column, found);
        for (int r = 0; r < 4; r++) half[r][c] = found[r];
    }
    for (int r = 0; r < 4 && y + r < map.height; r++) {
        v128_t found[4];
        from_frequencies(half[r], found);
        for (int c = 0; c < 4 && x + c < map.width; c++)
            wasm_v128_store(at(map, y + r, x + c) + channel, found[c]);
    }
}

/* As `convolve` with size 3 and stride 1; inputs are a multiple of 4, outputs of 8.
 * kernel: of `kernel_frequencies`. room: 36 * 12 * (inputs + outputs) numbers. */
EXPORT(convolve_quickly)(float *in, int in_border, const float *kernel, float *out, int out_border,
                         float *room, int height, int width, int inputs, int outputs) {
    const Map from = {in, height, width, inputs, in_border};
    const Map to = {out, height, width, outputs, out_border};
    const int across = (width + 3) / 4, all = across * ((height + 3) / 4);
    const size_t apart_in = (size_t)TILES * inputs, apart_out = (size_t)TILES * outputs;
    float *const products = room + 36 * apart_in;
    for (int start = 0; start < all; start += TILES) {
        const int count = all - start < TILES ? all - start : TILES;
        for (int t = 0; t < count; t++) {
            const int y = (start + t) / across * 4, x = (start + t) % across * 4;
            for (int c = 0; c < inputs; c += 4)
                tile_in(from, c, y, x, room + (size_t)t * inputs + c, apart_in);
        }
        const float *weights = kernel;
        for (int f = 0; f < 36; f++)
            for (int block = 0; block < outputs; block += BLOCK, weights += inputs * BLOCK)
                for (int t = 0; t < count; t += RUN) /* what is beyond count is room, not kept */
                    run_of(room + f * apart_in + (size_t)t * inputs, 0, inputs, 1, inputs, weights,
                           products + f * apart_out + block + (size_t)t * outputs, outputs, RUN, 2);
        for (int t = 0; t < count; t++) {
            const int y = (start + t) / across * 4, x = (start + t) % across * 4;
            for (int c = 0; c < outputs; c += 4)
                tile_out(products + (size_t)t * outputs + c, apart_out, to, c, y, x);
        }
    }
}

static void fill_border(Map map) {
    const size_t row = (size_t)(map.width + 2 * map.border) * map.channels;
    for (int y = 0; y < map.height; y++)
        for (int x = 1; x <= map.border; x++)
            for (int c = 0; c < map.channels; c++) {
                at(map, y, -x)[c] = at(map, y, 0)[c];
                at(map, y, map.width - 1 + x)[c] = at(map, y, map.width - 1)[c];
            }
    for (int y = 1; y <= map.border; y++) {
        __builtin_memcpy(at(map, -y, -map.border), at(map, 0, -map.border), row * sizeof(float));
        __builtin_memcpy(at(map, map.height - 1 + y, -map.border),
                         at(map, map.height - 1, -map.border), row * sizeof(float));
    }
}

INLINE int clamped(int place, int end) { return place < -1 ? -1 : place > end ? end : place; }

/* Of three neighbours the two positions that the middle one becomes. shares: see `enlarge`. */
INLINE void halves(const v128_t values[3], const v128_t shares[3], v128_t found[2]) {
    const v128_t middle = wasm_f32x4_mul(values[1], shares[0]);
    for (int half = 0; half < 2; half++) {
        const v128_t beside = values[2 * half], behind = values[2 - 2 * half];
        found[half] = MULTIPLY_ADD(behind, shares[2], MULTIPLY_ADD(beside, shares[1], middle));
    }
}

/* A map of twice the height and width, with a border of 2. Down and across, an enlarged position
 * has a share of its own value, of the nearer neighbour's and of the farther one's: 1, 0, 0 repeats
 * values. Its border is made of the smaller map's, too, and is no copy of its edge. height, width:
 * of the result. */
EXPORT(enlarge)(float *in, int in_border, float *out, int height, int width, int channels,
                float own, float nearer, float farther) {
    const Map from = {in, height / 2, width / 2, channels, in_border};
    const Map to = {out, height, width, channels, 2};
    const v128_t shares[3] = {wasm_f32x4_splat(own), wasm_f32x4_splat(nearer),
                              wasm_f32x4_splat(farther)};
    for (int y = -1; y <= from.height; y++)
        for (int x = -1; x <= from.width; x++) {
            const float *values[3][3];
            for (int r = 0; r < 3; r++)
                for (int c = 0; c < 3; c++)
                    values[r][c] = at(from, clamped(y + r - 1, from.height),
                                      clamped(x + c - 1, from.width));
            float *const places[2] = {at(to, 2 * y, 2 * x), at(to, 2 * y + 1, 2 * x)};
            for (int channel = 0; channel < channels; channel += 4) {
                v128_t columns[2][3];
                for (int c = 0; c < 3; c++) {
                    v128_t column[3], found[2];
                    for (int r = 0; r < 3; r++)
                        column[r] = wasm_v128_load(values[r][c] + channel);
                    halves(column, shares, found);
                    for (int half = 0; half < 2; half++) columns[half][c] = found[half];
                }
                for (int half = 0; half < 2; half++) {
                    v128_t found[2];
                    halves(columns[half], shares, found);
                    wasm_v128_store(places[half] + channel, found[0]);
                    wasm_v128_store(places[half] + channels + channel, found[1]);
                }
            }
        }
}

/* map += tile (side, side, channels; no border), repeated. */
EXPORT(add_tile)(float *numbers, int border, const float *tile, int height, int width,
                 int channels, int side) {
    const Map map = {numbers, height, width, channels, border};
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const float *from = tile + (y % side * side + x % side) * channels;
            float *to = at(map, y, x);
            for (int c = 0; c < channels; c += 4)
                wasm_v128_store(
                    to + c, wasm_f32x4_add(wasm_v128_load(to + c), wasm_v128_load(from + c)));
        }
}

/* The gain and the bias that bring four channels to mean 0 and deviation 1, and then steer them. */
static void normalisation(Map map, int c, const float *film, float epsilon, float *gains,
                          float *biases) {
    const double count = (double)map.height * map.width;
    const float *first = at(map, 0, 0) + c;
    /* Squares of what is left after a sample is taken away: they do not cancel. */
    const v128_t sample = wasm_v128_load(first);
    double sum[4] = {0}, squares[4] = {0};
    for (int y = 0; y < map.height; y++) {
        const float *from = at(map, y, 0) + c;
        v128_t row_sum = wasm_f32x4_splat(0), row_squares = row_sum;
        for (int x = 0; x < map.width; x++, from += map.channels) {
            const v128_t value = wasm_f32x4_sub(wasm_v128_load(from), sample);
            row_sum = wasm_f32x4_add(row_sum, value);
            row_squares = MULTIPLY_ADD(value, value, row_squares);
        }
        float s[4], q[4];
        wasm_v128_store(s, row_sum), wasm_v128_store(q, row_squares);
        for (int i = 0; i < 4; i++) sum[i] += s[i], squares[i] += q[i];
    }
    for (int i = 0; i < 4; i++) {
        const double mean = sum[i] / count, spread = squares[i] / count - mean * mean;
        const double deviation = __builtin_sqrt((spread > 0 ? spread : 0) + epsilon);
        const double gain = (film[c + i] + 1) / deviation;
        gains[c + i] = (float)gain;
        biases[c + i] = (float)(film[map.channels + c + i] - (mean + first[i]) * gain);
    }
}

/* In place: gain and bias for each channel (film: gains less 1, then biases), after instance
 * normalisation if epsilon is above 0; then ReLU if asked; then what ``added`` holds (same height,
 * width, channels and border) where there is one. room: 2 * channels numbers. */
EXPORT(steer)(float *numbers, int border, const float *film, float *added, float *room,
              int height, int width, int channels, float epsilon, int relu) {
    const Map map = {numbers, height, width, channels, border};
    const Map more = {added, height, width, channels, border};
    float *gains = room, *biases = room + channels;
    for (int c = 0; c < channels; c += 4) {
        if (epsilon > 0) {
            normalisation(map, c, film, epsilon, gains, biases);
        } else {
            for (int i = c; i < c + 4; i++) gains[i] = film[i] + 1, biases[i] = film[channels + i];
        }
    }
    const v128_t zero = wasm_f32x4_splat(0);
    for (int y = 0; y < height; y++) {
        float *to = at(map, y, 0);
        const float *from = at(more, y, 0);
        for (int x = 0; x < width; x++, to += channels, from += channels)
            for (int c = 0; c < channels; c += 4) {
                v128_t value = MULTIPLY_ADD(wasm_v128_load(to + c), wasm_v128_load(gains + c),
                                            wasm_v128_load(biases + c));
                if (relu) value = wasm_f32x4_max(zero, value);
                if (added) value = wasm_f32x4_add(value, wasm_v128_load(from + c));
                wasm_v128_store(to + c, value);
            }
    }
    fill_border(map);
}

/* Pixels (height, width, 4; bytes) to a map of 3 channels, 0..1. */
EXPORT(read_pixels)(const uint8_t *pixels, float *numbers, int border, int height, int width) {
    const Map map = {numbers, height, width, 3, border};
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, pixels += 4)
            for (int c = 0; c < 3; c++) at(map, y, x)[c] = pixels[c] / 255.f;
    fill_border(map);
}

/* What goes in is at most 0; cut off where a byte no longer shows it. */
static float exponential(float x) {
    if (x < -20) return 0;
    const float power = x * 1.44269504f;
    const int whole = (int)(power - 0.5f);
    const float rest = (power - whole) * 0.69314718f;
    const float series =
        1 + rest * (1 + rest * (0.5f + rest * (1 / 6.f + rest * (1 / 24.f + rest / 120))));
    const union {
        uint32_t bits;
        float number;
    } two = {(uint32_t)(whole + 127) << 23};
    return series * two.number;
}

/* A map of 4 channels, of which 3 count, to pixels through the sigmoid. */
EXPORT(write_pixels)(float *numbers, int border, uint8_t *pixels, int height, int width) {
    const Map map = {numbers, height, width, 4, border};
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, pixels += 4) {
            for (int c = 0; c < 3; c++) {
                const float logit = at(map, y, x)[c];
                const float small = exponential(logit < 0 ? logit : -logit);
                const float value = (logit < 0 ? small : 1) / (1 + small);
                pixels[c] = (uint8_t)(value * 255 + 0.5f);
            }
            pixels[3] = 255;
        }
}
