#include "routing/output_fidelity.h"

#include <cmath>
#include <cstddef>

namespace espalier {
namespace {

double dot(std::span<const float> a, std::span<const float> b) {
    double sum = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    }
    return sum;
}

}  // namespace

void OutputFidelity::add(std::span<const float> base, std::span<const float> current) {
    const double left = dot(base, base);
    const double right = dot(current, current);
    const double product = dot(base, current);
    double error = 0.0;
    for (std::size_t i = 0; i < base.size(); ++i) {
        const double difference = static_cast<double>(base[i]) - static_cast<double>(current[i]);
        error += difference * difference;
    }
    if (left > 0.0 && right > 0.0) {
        cosine_ += product / std::sqrt(left * right);
    } else {
        cosine_ += left <= 0.0 && right <= 0.0 ? 1.0 : 0.0;
    }
    error_ += error;
    energy_ += left;
    ++tokens_;
}

void OutputFidelity::merge(const OutputFidelity& other) {
    tokens_ += other.tokens_;
    cosine_ += other.cosine_;
    error_ += other.error_;
    energy_ += other.energy_;
}

double OutputFidelity::cosine() const {
    return tokens_ == 0 ? 0.0 : cosine_ / static_cast<double>(tokens_);
}

double OutputFidelity::normalised_error() const { return energy_ > 0.0 ? error_ / energy_ : 0.0; }

double norm_ratio(std::span<const float> lost, std::span<const float> whole) {
    const double energy = dot(whole, whole);
    return energy > 0.0 ? std::sqrt(dot(lost, lost) / energy) : 0.0;
}

}  // namespace espalier
