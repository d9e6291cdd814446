#pragma once

namespace espalier {

/// Opens the loadable module `espalier-torch` (libtorch, calibration, training), found relative to
/// the library of core; its initialisers register their stages and services. Costs about a second
/// and 170 MB the first time, nothing afterwards. Thread-safe.
/// @throws Error RunModule with the loader's own words
void open_torch_library();

}  // namespace espalier
