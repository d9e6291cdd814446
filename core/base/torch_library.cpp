#include "base/torch_library.h"

#include <dlfcn.h>
#include <filesystem>
#include <fmt/format.h>
#include <mutex>

#include "base/error.h"

namespace espalier {
namespace {

std::filesystem::path folder_of_this_library() {
    Dl_info info{};
    if (::dladdr(reinterpret_cast<const void*>(&open_torch_library), &info) == 0) return ".";
    return std::filesystem::absolute(info.dli_fname).parent_path();
}

void open_once() {
    const auto path = folder_of_this_library() / "espalier-torch.so";
    // Global and never closed: libtorch registers types that other libraries look up, and does not
    // survive being unloaded.
    if (::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE) == nullptr) {
        throw Error(ErrorCode::RunModule,
                    fmt::format("The learning module could not be opened: {}.", ::dlerror()),
                    "Install libtorch (packaging/setup does) or build with ESPALIER_BUILD_TORCH.");
    }
}

}  // namespace

void open_torch_library() {
    static std::once_flag opened;
    std::call_once(opened, open_once);
}

}  // namespace espalier
