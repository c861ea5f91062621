// Vectors of lanes, and elementary functions on them whose error is known (tests state it in units in the last place).
//
// Written with the vector extensions of GCC and Clang, so one source serves every width. No fast-math: NaN stays NaN,
// and stays in its lane.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#if defined(__AVX512F__) && defined(__AVX512DQ__)
#include <immintrin.h>
#define WIDE 1
enum { BYTES = 64 };
#elif defined(__AVX__)
#include <immintrin.h>
enum { BYTES = 32 };
#else
#ifdef __SSE__
#include <xmmintrin.h>
#endif
enum { BYTES = 16 };
#endif

#define INLINE static inline __attribute__((always_inline))

#ifdef DOUBLE
typedef double real;
typedef int64_t whole;
#else
typedef float real;
typedef int32_t whole;
#endif
enum { W = BYTES / sizeof(real) };
typedef real V __attribute__((vector_size(BYTES)));
typedef whole N __attribute__((vector_size(BYTES)));  // whole numbers, and masks: all bits set where true

INLINE V splat(real x) { return V{} + x; }
INLINE V splat(V x) { return x; }
INLINE N as_bits(V x) { N n; std::memcpy(&n, &x, sizeof n); return n; }
INLINE V as_real(N n) { V x; std::memcpy(&x, &n, sizeof x); return x; }

INLINE V choose(N m, V a, V b) { return m ? a : b; }
INLINE V choose(bool m, V a, V b) { return m ? a : b; }
// Written so that a NaN in the first argument comes through.
#if defined(WIDE) && defined(DOUBLE)
INLINE V min_(V a, V b) { return (V)_mm512_min_pd((__m512d)b, (__m512d)a); }
INLINE V max_(V a, V b) { return (V)_mm512_max_pd((__m512d)b, (__m512d)a); }
#elif defined(WIDE)
INLINE V min_(V a, V b) { return (V)_mm512_min_ps((__m512)b, (__m512)a); }
INLINE V max_(V a, V b) { return (V)_mm512_max_ps((__m512)b, (__m512)a); }
#else
INLINE V min_(V a, V b) { return b < a ? b : a; }
INLINE V max_(V a, V b) { return b > a ? b : a; }
#endif
INLINE V at_most(V a, real limit) { return min_(a, splat(limit)); }
INLINE V at_least(V a, real limit) { return max_(a, splat(limit)); }
INLINE V abs_(V a) { return a < splat(0) ? -a : a; }

INLINE bool all(N mask) {
#ifdef WIDE
#ifdef DOUBLE
    return _mm512_movepi64_mask((__m512i)mask) == 0xff;
#else
    return _mm512_movepi32_mask((__m512i)mask) == 0xffff;
#endif
#else
    whole every = -1;
    for (int l = 0; l < W; ++l) every &= mask[l];
    return every != 0;
#endif
}

// 1/x to about one unit in the last place: the processor's approximation and Newton's method, where it has one.
INLINE V inverse(V x) {
#if defined(WIDE) && defined(DOUBLE)
    V y = (V)_mm512_rcp14_pd((__m512d)x);
    y = y + y * (1.0 - x * y);
    return y + y * (1.0 - x * y);
#elif defined(WIDE)
    V y = (V)_mm512_rcp14_ps((__m512)x);
    return y + y * (1.0f - x * y);
#else
    return real(1) / x;
#endif
}
INLINE V div_(V x, V y) {
#if defined(WIDE) && defined(DOUBLE)
    const V inv = inverse(y), q = x * inv;
    return q + inv * (x - q * y);
#elif defined(WIDE)
    return x * inverse(y);
#else
    return x / y;
#endif
}
INLINE V sqrt_(V x) {
    V y;
    for (int l = 0; l < W; ++l) y[l] = std::sqrt(x[l]);
    return y;
}

// exp: x = n ln 2 + r with |r| <= ln(2)/2, a polynomial for exp(r), and 2^n by its bits. Capped where the result would
// overflow or be subnormal.
INLINE V exp_(V x) {
#ifdef DOUBLE
    x = at_least(at_most(x, 709.0), -708.0);
    const double magic = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to a whole number in the low bits
    const V t = x * 1.4426950408889634 + magic;
    const V n = t - magic;
    const V r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;
    const V r2 = r * r, r4 = r2 * r2;
    const V p = (5.0000000000000010e-01 + r * 1.6666666666666669e-01)
              + r2 * (4.1666666666624120e-02 + r * 8.3333333333299570e-03);
    const V q = (1.3888888917215846e-03 + r * 1.9841269863333838e-04)
              + r2 * (2.4801521293874233e-05 + r * 2.7557268166500010e-06);
    const V top = 2.7620089153683826e-07 + r * 2.5100490629229738e-08;
    const V y = (1.0 + r) + r2 * (p + r4 * (q + r4 * top));
    return y * as_real((as_bits(t) << 52) + (whole(1023) << 52));
#else
    x = at_least(at_most(x, 88.0f), -87.0f);
    const float magic = 12582912.0f;  // 1.5 * 2^23
    const V t = x * 1.44269504f + magic;
    const V n = t - magic;
    const V r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
    const V r2 = r * r;
    const V y = (1.0f + r) + r2 * ((0.5f + r * 1.6666577e-1f)
              + r2 * ((4.1666555e-2f + r * 8.3631791e-3f) + r2 * 1.3926184e-3f));
    return y * as_real((as_bits(t) << 23) + (127 << 23));
#endif
}

// log: x = 2^k m with m between sqrt(1/2) and sqrt(2), and log(m) by a series in (m - 1)/(m + 1) (the coefficients are
// those of FDLIBM). A subnormal number counts as 0, as everywhere in the kernel.
INLINE V log_(V x) {
    const real least = std::numeric_limits<real>::min(), most = std::numeric_limits<real>::max();
#ifdef DOUBLE
    const N above = as_bits(x) - whole(0x3fe6a09e667f3bcd);
    const V k = __builtin_convertvector(above >> 52, V);
    const V f = as_real(as_bits(x) - (above & whole(0xfff0000000000000))) - 1.0;
    const V s = div_(f, 2.0 + f), z = s * s, w = z * z;
    const V odd = z * (6.666666666666735130e-01 + w * (2.857142874366239149e-01
                + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
    const V even = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
    const V high = k * 6.93147180369123816490e-01, low = k * 1.90821492927058770002e-10;
#else
    const N above = as_bits(x) - 0x3f3504f3;
    const V k = __builtin_convertvector(above >> 23, V);
    const V f = as_real(as_bits(x) - (above & whole(0xff800000))) - 1.0f;
    const V s = div_(f, 2.0f + f), z = s * s, w = z * z;
    const V odd = z * (0.66666662693f + w * 0.28498786688f);
    const V even = w * (0.40000972152f + w * 0.24279078841f);
    const V high = k * 6.9313812256e-01f, low = k * 9.0580006145e-06f;
#endif
    const V half = real(0.5) * f * f;
    const V y = high - ((half - (s * (half + (odd + even)) + low)) - f);
    const real infinity = std::numeric_limits<real>::infinity(), none = std::numeric_limits<real>::quiet_NaN();
    const V outside = choose(x > splat(most), x, choose(abs_(x) < splat(least), splat(-infinity), splat(none)));
    return choose((x >= splat(least)) & (x <= splat(most)), y, outside);
}

// x^y = exp(y log x), whose error grows with the exponent; what that does not cover, lane by lane.
INLINE V pow_(V x, V y) {
    const V exponent = y * log_(x);
    if (all((x > splat(0)) & (abs_(exponent) <= splat(80)))) return exp_(exponent);
    V z;
    for (int l = 0; l < W; ++l) z[l] = std::pow(x[l], y[l]);
    return z;
}

// Rarer functions, lane by lane.
#define BY_LANE(name) INLINE V name##_(V x) { V y; for (int l = 0; l < W; ++l) y[l] = std::name(x[l]); return y; }
BY_LANE(log1p) BY_LANE(expm1) BY_LANE(tanh) BY_LANE(sinh) BY_LANE(cosh) BY_LANE(sin) BY_LANE(cos)
BY_LANE(tan) BY_LANE(asin) BY_LANE(acos) BY_LANE(atan) BY_LANE(floor) BY_LANE(ceil)
INLINE V atan2_(V x, V y) { V z; for (int l = 0; l < W; ++l) z[l] = std::atan2(x[l], y[l]); return z; }
INLINE V rem_(V x, V y) { V z; for (int l = 0; l < W; ++l) z[l] = std::fmod(x[l], y[l]); return z; }

// Rates of the voltage, as polynomials on equal pieces of a range. A piece's coefficients are looked up in registers,
// which takes the long vectors; without them rates are computed directly.
struct Place {
    bool inside;  // every lane is within the range of the tables
    N piece;
    V t;  // -1 to 1 within the piece
};
#ifdef WIDE
enum { PIECES = 2 * W, TABLES = 1 };
INLINE Place locate(V v, real lowest, real pieces_per_mV) {
    const V x = (v - lowest) * pieces_per_mV;
    Place place;
    place.inside = all((x >= splat(0)) & (x < splat(PIECES)));
#ifdef DOUBLE
    place.piece = (N)_mm512_cvttpd_epi64((__m512d)x);
    place.t = real(2) * (x - (V)_mm512_cvtepi64_pd((__m512i)place.piece)) - real(1);
#else
    place.piece = (N)_mm512_cvttps_epi32((__m512)x);
    place.t = real(2) * (x - (V)_mm512_cvtepi32_ps((__m512i)place.piece)) - real(1);
#endif
    return place;
}
INLINE V looked_up(const real* entries, N piece) {
#ifdef DOUBLE
    return (V)_mm512_permutex2var_pd(_mm512_load_pd(entries), (__m512i)piece, _mm512_load_pd(entries + W));
#else
    return (V)_mm512_permutex2var_ps(_mm512_load_ps(entries), (__m512i)piece, _mm512_load_ps(entries + W));
#endif
}
#else
enum { PIECES = 1, TABLES = 0 };
INLINE Place locate(V, real, real) { return Place{false, N{}, V{}}; }
INLINE V looked_up(const real*, N) { return V{}; }
#endif
// Coefficients from the highest power to the lowest, PIECES of each.
template <int DEGREE> INLINE V polynomial(const real* coefficients, const Place& at, V) {
    V y = looked_up(coefficients, at.piece);
#pragma GCC unroll 32
    for (int k = 1; k <= DEGREE; ++k) y = y * at.t + looked_up(coefficients + k * PIECES, at.piece);
    return y;
}
// The same with its derivative with respect to the voltage: exactly that of the number that `polynomial` gives.
template <int DEGREE> INLINE V polynomial_slope(const real* coefficients, const Place& at, V, V& slope, real per_mV) {
    V y = looked_up(coefficients, at.piece), dy = V{};
#pragma GCC unroll 32
    for (int k = 1; k <= DEGREE; ++k) {
        dy = dy * at.t + y;
        y = y * at.t + looked_up(coefficients + k * PIECES, at.piece);
    }
    slope = dy * per_mV;
    return y;
}
// With a kink in some pieces: coefficients on its left, on its right, and where it is.
template <int DEGREE> INLINE V broken_polynomial(const real* coefficients, const Place& at, V v) {
    const real* const right = coefficients + (DEGREE + 1) * PIECES;
    return choose(v < looked_up(right + (DEGREE + 1) * PIECES, at.piece), polynomial<DEGREE>(coefficients, at, v),
                  polynomial<DEGREE>(right, at, v));
}
template <int DEGREE>
INLINE V broken_polynomial_slope(const real* coefficients, const Place& at, V v, V& slope, real per_mV) {
    const real* const right = coefficients + (DEGREE + 1) * PIECES;
    const N left = v < looked_up(right + (DEGREE + 1) * PIECES, at.piece);
    V slope_left, slope_right;
    const V y = polynomial_slope<DEGREE>(coefficients, at, v, slope_left, per_mV);
    const V z = polynomial_slope<DEGREE>(right, at, v, slope_right, per_mV);
    slope = choose(left, slope_left, slope_right);
    return choose(left, y, z);
}
