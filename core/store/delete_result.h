#pragma once

#include <filesystem>

namespace espalier {

/// True if `result` is a file or folder inside the run folder, no link, so that Espalier wrote it
/// itself: nothing else may be deleted.
bool is_own_result(const std::filesystem::path& run_folder, const std::filesystem::path& result);

/// Deletes a run's result; recipe, records and report of the run stay.
/// @throws Error UsageInvalid unless is_own_result(), DiskWrite if it cannot be deleted
void delete_result(const std::filesystem::path& run_folder, const std::filesystem::path& result);

}  // namespace espalier
