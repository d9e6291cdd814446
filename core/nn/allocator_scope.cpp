#include "nn/allocator_scope.h"

#include <malloc.h>

namespace espalier {
namespace {

constexpr int kKeptBytes = 256 << 20;
constexpr int kLargestOfHeap = 32 << 20;  ///< glibc allows no more; larger tensors are mapped
constexpr int kDefaultThreshold = 128 << 10;

}  // namespace

AllocatorScope::AllocatorScope() {
    ::mallopt(M_MMAP_THRESHOLD, kLargestOfHeap);
    ::mallopt(M_TRIM_THRESHOLD, kKeptBytes);
}

AllocatorScope::~AllocatorScope() {
    ::mallopt(M_MMAP_THRESHOLD, kDefaultThreshold);
    ::mallopt(M_TRIM_THRESHOLD, kDefaultThreshold);
    ::malloc_trim(0);
}

}  // namespace espalier
