#pragma once

#include "infer/native_model.h"

namespace espalier {

/// Sets a model's arithmetic while it lives.
class ArithmeticGuard {
public:
    ArithmeticGuard(NativeModel& model, Arithmetic arithmetic)
        : model_(model), before_(model.arithmetic()) {
        model_.set_arithmetic(arithmetic);
    }
    ~ArithmeticGuard() { model_.set_arithmetic(before_); }
    ArithmeticGuard(const ArithmeticGuard&) = delete;
    ArithmeticGuard& operator=(const ArithmeticGuard&) = delete;

private:
    NativeModel& model_;
    Arithmetic before_;
};

}  // namespace espalier
