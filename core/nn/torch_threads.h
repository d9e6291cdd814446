#pragma once

namespace espalier {

/// One thread for each libtorch operation and each BLAS product, for the whole process: the loops
/// around them (micro-batches of calibration) are what is spread over the cores.
///
/// Debian's libtorch brings two pools that fight: its own operations run under OpenMP, its products
/// in OpenBLAS' pthreads, which spin while they wait. The layer's shape is [tokens of an expert,
/// hidden, width]; GFLOP/s of gate, up, silu, down on two cores of a Zen 3 (AVX2), best of three:
///
///     shape            1 core   BLAS 2   OpenMP 2, BLAS 2   two workers of one thread
///     512, 256, 96       54       60          16                    73
///     512, 256, 256      58       56          23                    87
///     16, 2048, 768      35       64          71                    61
///     128, 2048, 768     67      110          51                   108
///     512, 2048, 768     73      111          85                   105
///
/// bfloat16 products go through oneDNN and reach 1.4 GFLOP/s on this machine, for want of AVX-512,
/// so everything is computed in float32. Workers never lose by much, keep small models busy, and
/// make results independent of their number.
void use_one_torch_thread();

/// For a single stream of work that cannot be cut (a training step): products on `num_threads` of
/// OpenBLAS' threads, everything else on one, the best of the mixed settings above.
void use_blas_threads(int num_threads);

}  // namespace espalier
