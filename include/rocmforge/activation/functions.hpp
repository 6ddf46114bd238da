// The nonlinear functions of feed-forward layers, as functors over packets: policies for the
// kernels of activation.hpp and for any other that applies one in passing. All are NaN where their
// argument is.
#pragma once

#include "rocmforge/block/tanh.hpp"
#include "rocmforge/platform/platform.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace activations {
using namespace device;

/// x times the logistic function of `slope` * x, which is x / (1 + e^(-slope x)): neither end
/// overflows to more than the infinity that a division turns into 0.
template <int N>
ROCMFORGE_DEVICE packet<float, N> times_logistic(const packet<float, N>& x,
                                                 const packet<float, N>& slope) {
  const packet<float, N> one(1.0f);
  return x / (one + exp2_of(x * slope * -log2_e));
}

/// The distribution function of the standard normal distribution, (1 + erf(x / sqrt 2)) / 2.
///
/// Its tail is e^(-x^2 / 2) times a polynomial in u = 1 / (1 + 0.27 |x|), times u: a Chebyshev fit
/// of degree 8 for |x| up to 14, good to 1e-7. Computed as a tail on either side of 0, so that
/// nothing cancels: within 3 units in the last place for |x| up to 1 and for positive x, and of a
/// relative error that grows with x^2 (as that of e^(-x^2 / 2) does) to 2e-6 at -6.
template <int N>
ROCMFORGE_DEVICE packet<float, N> normal_distribution(const packet<float, N>& x) {
  using floats = packet<float, N>;
  const floats one(1.0f);
  const floats magnitude = maximum(x * -1.0f, x);  // NaN where x is
  const floats u = one / fma(magnitude, floats(0.27f), one);
  floats series(2.9107023e-2f);
  series = fma(series, u, floats(-1.2724210e-1f));
  series = fma(series, u, floats(1.7144457e-1f));
  series = fma(series, u, floats(-7.1213804e-2f));
  series = fma(series, u, floats(1.0927714e-1f));
  series = fma(series, u, floats(7.1406089e-2f));
  series = fma(series, u, floats(1.0198037e-1f));
  series = fma(series, u, floats(1.0751861e-1f));
  series = fma(series, u, floats(1.0772210e-1f));
  const floats tail = series * u * exp2_of(magnitude * magnitude * (-0.5f * log2_e));
  return select_less(x, floats(0.0f), tail, one - tail);
}

/// x / (1 + e^-x), also known as swish. Elfwing et al., "Sigmoid-Weighted Linear Units", 2017.
struct silu {
  template <int N>
  ROCMFORGE_DEVICE packet<float, N> operator()(const packet<float, N>& x) const {
    return times_logistic(x, packet<float, N>(1.0f));
  }
};

/// x times the normal distribution function. Hendrycks and Gimpel, "Gaussian Error Linear Units",
/// 2016.
struct gelu_erf {
  template <int N>
  ROCMFORGE_DEVICE packet<float, N> operator()(const packet<float, N>& x) const {
    return x * normal_distribution(x);
  }
};

/// The paper's approximation, x (1 + tanh(t)) / 2 with t = sqrt(2 / pi) (x + 0.044715 x^3). Because
/// (1 + tanh(t)) / 2 is the logistic function of 2t, there is no tanh here, and nothing cancels.
struct gelu_tanh {
  template <int N>
  ROCMFORGE_DEVICE packet<float, N> operator()(const packet<float, N>& x) const {
    constexpr float twice_sqrt_two_over_pi = 1.59576912f;
    return times_logistic(x, fma(x * x, packet<float, N>(0.044715f * twice_sqrt_two_over_pi),
                                 packet<float, N>(twice_sqrt_two_over_pi)));
  }
};

/// The paper's cheaper approximation, x / (1 + e^(-1.702 x)).
struct quick_gelu {
  template <int N>
  ROCMFORGE_DEVICE packet<float, N> operator()(const packet<float, N>& x) const {
    return times_logistic(x, packet<float, N>(1.702f));
  }
};

/// max(x, 0).
struct relu {
  template <int N>
  ROCMFORGE_DEVICE packet<float, N> operator()(const packet<float, N>& x) const {
    return maximum(packet<float, N>(0.0f), x);  // the second of two that do not compare
  }
};

/// max(x, 0)^2. So et al., "Primer: Searching for Efficient Transformers", 2021.
struct relu_squared {
  template <int N>
  ROCMFORGE_DEVICE packet<float, N> operator()(const packet<float, N>& x) const {
    const packet<float, N> kept = relu{}(x);
    return kept * kept;
  }
};

/// cap * tanh(x / cap).
struct soft_cap {
  float cap;
  template <int N>
  ROCMFORGE_DEVICE packet<float, N> operator()(const packet<float, N>& x) const {
    return tanh_of(x / packet<float, N>(cap)) * cap;
  }
};

/// factor * x.
struct scale {
  float factor;
  template <int N>
  ROCMFORGE_DEVICE packet<float, N> operator()(const packet<float, N>& x) const {
    return x * factor;
  }
};

/// Activation(gate) * up. Shazeer, "GLU Variants Improve Transformer", 2020.
template <class Activation>
struct gated {
  template <int N>
  ROCMFORGE_DEVICE packet<float, N> operator()(const packet<float, N>& gate,
                                               const packet<float, N>& up) const {
    return Activation{}(gate)*up;
  }
};

/// g / (1 + e^(-alpha g)) * (u + 1), where g is the gate clamped to at most `limit` and u is `up`
/// clamped to [-limit, limit].
struct clamped_gate {
  float alpha, limit;

  template <int N>
  ROCMFORGE_DEVICE packet<float, N> operator()(const packet<float, N>& gate,
                                               const packet<float, N>& up) const {
    const packet<float, N> most(limit), least(-limit);
    // maximum() takes the second of two that do not compare: a NaN stays one.
    const auto at_most = [&](const packet<float, N>& x) {
      return maximum(least, x * -1.0f) * -1.0f;
    };
    return times_logistic(at_most(gate), packet<float, N>(alpha)) *
           (maximum(least, at_most(up)) + packet<float, N>(1.0f));
  }
};

struct sum {
  template <int N>
  ROCMFORGE_DEVICE packet<float, N> operator()(const packet<float, N>& a,
                                               const packet<float, N>& b) const {
    return a + b;
  }
};

}  // namespace activations
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
