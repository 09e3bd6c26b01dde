// Winograd's minimal filtering F(m, r): m outputs of an r-tap correlation by m + r - 1
// multiplications, in the Cook-Toom construction over chosen points (Lavin & Gray, "Fast Algorithms
// for Convolutional Neural Networks", 2016; Barabasz et al., "Error Analysis and Improving the
// Accuracy of Winograd Convolution for Deep Neural Networks", 2020, on the choice of points):
//
//     y = Aᵀ [(G g) ⊙ (Bᵀ d)]        y: m outputs, g: r taps, d: m + r - 1 inputs
//
// The points are 0, pairs ±p, and infinity, in this order. The two rows of Bᵀ of a pair have the
// same even terms and opposite odd terms, so each half is summed once.
#pragma once

#include "vector.h"

namespace dctnet {

// Positive points of the pairs. They are dyadic, so that Aᵀ and Bᵀ are exact in float32; G,
// which is not, is applied at load time in float64. The points of F(4, 7) have the lowest
// rounding error of all sets of small dyadic points.
template <int kOutputs, int kTaps>
struct Points;
template <>
struct Points<6, 3> {
    static constexpr double kPairs[] = {1, 2, 0.5};
};
template <>
struct Points<4, 7> {
    static constexpr double kPairs[] = {0.375, 0.75, 1.25, 2.5};
};

template <int kOutputs_, int kTaps_>
struct Winograd {
    static constexpr int kOutputs = kOutputs_;
    static constexpr int kTaps = kTaps_;
    static constexpr int kPoints = kOutputs + kTaps - 1;
    static constexpr int kFinite = kPoints - 1;
    static constexpr auto& kPairs = Points<kOutputs, kTaps>::kPairs;
    static_assert(kFinite == 1 + 2 * std::size(kPairs));

    struct Tables {
        double output[kOutputs][kPoints];  // Aᵀ
        double filter[kPoints][kTaps];     // G
        double input[kPoints][kPoints];    // Bᵀ
    };

    static constexpr Tables kTables = [] {
        Tables tables{};
        double points[kFinite]{};
        for (int i = 1; i < kFinite; ++i)
            points[i] = kPairs[(i - 1) / 2] * (i % 2 ? 1 : -1);

        // A row of Bᵀ holds the coefficients of the product of (x - p) over the other finite
        // points.
        const auto multiply_out = [&](double* row, int left_out) {
            row[0] = 1;
            for (int l = 0, degree = 0; l < kFinite; ++l) {
                if (l == left_out) continue;
                ++degree;
                for (int i = degree; i > 0; --i) row[i] = row[i - 1] - points[l] * row[i];
                row[0] *= -points[l];
            }
        };
        for (int j = 0; j < kFinite; ++j) {
            double power = 1;
            for (int i = 0; i < kOutputs; ++i, power *= points[j]) tables.output[i][j] = power;
            double scale = 1;
            for (int l = 0; l < kFinite; ++l)
                if (l != j) scale *= points[j] - points[l];
            power = 1;
            for (int i = 0; i < kTaps; ++i, power *= points[j])
                tables.filter[j][i] = power / scale;
            multiply_out(tables.input[j], j);
        }
        tables.output[kOutputs - 1][kFinite] = 1;
        tables.filter[kFinite][kTaps - 1] = 1;
        multiply_out(tables.input[kFinite], kFinite);
        return tables;
    }();

    static constexpr bool kExact = [] {
        for (const auto& row : kTables.input)
            for (double x : row)
                if (static_cast<double>(static_cast<float>(x)) != x) return false;
        for (const auto& row : kTables.output)
            for (double x : row)
                if (static_cast<double>(static_cast<float>(x)) != x) return false;
        return true;
    }();
    static_assert(kExact, "a point is not dyadic, or too fine for float32");

    // points = Bᵀ inputs
    static INLINE void input(const Vector (&inputs)[kPoints], Vector (&points)[kPoints]) {
        points[0] = terms<0, 0>(inputs);
        points[kFinite] = terms<kFinite, 1>(inputs);
        unroll<kFinite / 2>([&](auto pair) INLINE_LAMBDA {
            constexpr int j = 1 + 2 * pair;
            const Vector even = terms<j, 0>(inputs), odd = terms<j, 1>(inputs);
            points[j] = even + odd;
            points[j + 1] = even - odd;
        });
    }

    // outputs = Aᵀ points
    static INLINE void output(const Vector (&points)[kPoints], Vector (&outputs)[kOutputs]) {
        Vector sums[kFinite / 2], differences[kFinite / 2];
        unroll<kFinite / 2>([&](auto pair) INLINE_LAMBDA {
            sums[pair] = points[1 + 2 * pair] + points[2 + 2 * pair];
            differences[pair] = points[1 + 2 * pair] - points[2 + 2 * pair];
        });
        unroll<kOutputs>([&](auto i) INLINE_LAMBDA {
            const Vector(&half)[kFinite / 2] = i % 2 == 0 ? sums : differences;
            Vector total = half[0] * static_cast<float>(kTables.output[i][1]);
            unroll<kFinite / 2 - 1>([&](auto pair) INLINE_LAMBDA {
                total += half[pair + 1] * static_cast<float>(kTables.output[i][3 + 2 * pair]);
            });
            if constexpr (i == 0) total += points[0];
            if constexpr (i == kOutputs - 1) total += points[kFinite];
            outputs[i] = total;
        });
    }

  private:
    // Sum of the terms of row kRow of Bᵀ whose index has parity kParity.
    template <int kRow, int kParity>
    static INLINE Vector terms(const Vector (&inputs)[kPoints]) {
        constexpr auto& row = kTables.input[kRow];
        constexpr int kFirst = row[kParity] != 0 ? kParity : kParity + 2;
        Vector total = inputs[kFirst] * static_cast<float>(row[kFirst]);
        unroll<(kPoints - kFirst - 1) / 2>([&](auto i) INLINE_LAMBDA {
            constexpr int k = kFirst + 2 + 2 * i;
            if constexpr (row[k] != 0) total += inputs[k] * static_cast<float>(row[k]);
        });
        return total;
    }
};

}  // namespace dctnet
