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
INLINE V at_most(V a, V limit) { return (V)_mm512_min_pd((__m512d)limit, (__m512d)a); }
INLINE V at_least(V a, V limit) { return (V)_mm512_max_pd((__m512d)limit, (__m512d)a); }
#elif defined(WIDE)
INLINE V at_most(V a, V limit) { return (V)_mm512_min_ps((__m512)limit, (__m512)a); }
INLINE V at_least(V a, V limit) { return (V)_mm512_max_ps((__m512)limit, (__m512)a); }
#else
INLINE V at_most(V a, V limit) { return limit < a ? limit : a; }
INLINE V at_least(V a, V limit) { return limit > a ? limit : a; }
#endif
// And in either.
INLINE V min_(V a, V b) { return choose(b == b, at_most(a, b), b); }
INLINE V max_(V a, V b) { return choose(b == b, at_least(a, b), b); }
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

// 1/x to about one unit in the last place: the processor's approximation and Newton's method, where it has one. At 0 and
// infinity the approximation is exact, and Newton's method makes NaN of it.
#ifdef WIDE
INLINE V refined(V approximation, V y) {
    enum { ZERO_OR_INFINITE = 0x1e };
#ifdef DOUBLE
    const __mmask8 exact = _mm512_fpclass_pd_mask((__m512d)approximation, ZERO_OR_INFINITE);
    return (V)_mm512_mask_mov_pd((__m512d)y, exact, (__m512d)approximation);
#else
    const __mmask16 exact = _mm512_fpclass_ps_mask((__m512)approximation, ZERO_OR_INFINITE);
    return (V)_mm512_mask_mov_ps((__m512)y, exact, (__m512)approximation);
#endif
}
#endif
INLINE V inverse(V x) {
#if defined(WIDE) && defined(DOUBLE)
    const V about = (V)_mm512_rcp14_pd((__m512d)x);
    const V y = about + about * (1.0 - x * about);
    return refined(about, y + y * (1.0 - x * y));
#elif defined(WIDE)
    const V about = (V)_mm512_rcp14_ps((__m512)x);
    return refined(about, about + about * (1.0f - x * about));
#else
    return real(1) / x;
#endif
}
INLINE V div_(V x, V y) {
#if defined(WIDE) && defined(DOUBLE)
    const V about = (V)_mm512_rcp14_pd((__m512d)y);
    V inv = about + about * (1.0 - y * about);
    inv = inv + inv * (1.0 - y * inv);
    const V q = x * inv;
    return refined(x * about, q + inv * (x - q * y));
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

// exp: x = n ln 2 + r with |r| <= ln(2)/2, a polynomial for exp(r), and 2^n by its bits. Capped where the result or its
// inverse would overflow or be subnormal.
INLINE V exp_(V x) {
#ifdef DOUBLE
    x = at_least(at_most(x, splat(708)), splat(-708));
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
    x = at_least(at_most(x, splat(87)), splat(-87));
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
INLINE Place locate(V v, real lowest, real pieces_per_mV, int uniform) {
    const V x = (v - lowest) * pieces_per_mV;
    Place place;
    place.inside = all((x >= splat(0)) & (x < splat(uniform)));
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
INLINE Place locate(V, real, real, int) { return Place{false, N{}, V{}}; }
INLINE V looked_up(const real*, N) { return V{}; }
#endif
// Coefficients from the highest power to the lowest, PIECES of each.
template <int DEGREE> INLINE V polynomial_of(const real* coefficients, N piece, V t) {
    V y = looked_up(coefficients, piece);
#pragma GCC unroll 32
    for (int k = 1; k <= DEGREE; ++k) y = y * t + looked_up(coefficients + k * PIECES, piece);
    return y;
}
// The same with its derivative with respect to the voltage: exactly that of the number that `polynomial_of` gives.
template <int DEGREE> INLINE V polynomial_slope_of(const real* coefficients, N piece, V t, V& slope, real per_mV) {
    V y = looked_up(coefficients, piece), dy = V{};
#pragma GCC unroll 32
    for (int k = 1; k <= DEGREE; ++k) {
        dy = dy * t + y;
        y = y * t + looked_up(coefficients + k * PIECES, piece);
    }
    slope = dy * per_mV;
    return y;
}
// On the right of a kink another piece's coefficients hold, in the same coordinate.
template <int DEGREE> INLINE N beyond_kink(const real* coefficients, N piece, V v) {
    const real* const kinks = coefficients + (DEGREE + 1) * PIECES;
    return v < looked_up(kinks, piece) ? piece : as_bits(looked_up(kinks + PIECES, piece));
}
template <int DEGREE> INLINE V polynomial(const real* c, const Place& at, V) {
    return polynomial_of<DEGREE>(c, at.piece, at.t);
}
template <int DEGREE> INLINE V polynomial_slope(const real* c, const Place& at, V, V& slope, real per_mV) {
    return polynomial_slope_of<DEGREE>(c, at.piece, at.t, slope, per_mV);
}
template <int DEGREE> INLINE V broken_polynomial(const real* c, const Place& at, V v) {
    return polynomial_of<DEGREE>(c, beyond_kink<DEGREE>(c, at.piece, v), at.t);
}
template <int DEGREE> INLINE V broken_polynomial_slope(const real* c, const Place& at, V v, V& slope, real per_mV) {
    return polynomial_slope_of<DEGREE>(c, beyond_kink<DEGREE>(c, at.piece, v), at.t, slope, per_mV);
}
