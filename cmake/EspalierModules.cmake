# One function a kind of target. DEPENDS names modules of core and is the whole truth about what a
# module may include: tests/architecture reads it from the property ESPALIER_MODULES.
define_property(GLOBAL PROPERTY ESPALIER_MODULES
                BRIEF_DOCS "Lines `module: dependencies` for the architecture test")

# Headers that nearly every file reads, and that take longer to read than the file takes to compile.
# One set each for core, libtorch, the window and the tests; a target of that kind reuses it.
function(_espalier_headers name)
    cmake_parse_arguments(ARG "" "" "HEADERS;LIBS;DEFINITIONS" ${ARGN})
    file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/headers_${name}.cpp.in" "")
    file(COPY_FILE "${CMAKE_CURRENT_BINARY_DIR}/headers_${name}.cpp.in"
         "${CMAKE_CURRENT_BINARY_DIR}/headers_${name}.cpp" ONLY_IF_DIFFERENT)
    add_library(espalier_headers_${name} OBJECT "${CMAKE_CURRENT_BINARY_DIR}/headers_${name}.cpp")
    target_link_libraries(espalier_headers_${name} PRIVATE ${ARG_LIBS} espalier_flags)
    target_compile_definitions(espalier_headers_${name} PRIVATE ${ARG_DEFINITIONS})
    target_precompile_headers(espalier_headers_${name} PRIVATE ${ARG_HEADERS})
endfunction()

set(_espalier_std <algorithm> <array> <chrono> <cmath> <cstdint> <filesystem> <functional> <map> <memory> <optional>
    <span> <stop_token> <string> <string_view> <vector>)
_espalier_headers(core HEADERS ${_espalier_std} <fmt/format.h> <nlohmann/json.hpp>
    LIBS fmt::fmt nlohmann_json::nlohmann_json)
if(ESPALIER_BUILD_TORCH)
    _espalier_headers(torch HEADERS ${_espalier_std} <fmt/format.h> <nlohmann/json.hpp> <torch/types.h>
        LIBS fmt::fmt nlohmann_json::nlohmann_json ${TORCH_LIBRARIES})
endif()
if(ESPALIER_BUILD_UI)
    _espalier_headers(ui HEADERS ${_espalier_std} <fmt/format.h> <nlohmann/json.hpp> <QtWidgets>
        LIBS fmt::fmt nlohmann_json::nlohmann_json Qt6::Widgets DEFINITIONS QT_NO_KEYWORDS)
endif()
if(ESPALIER_BUILD_TESTS)
    _espalier_headers(tests HEADERS ${_espalier_std} <fmt/format.h> <nlohmann/json.hpp> <QtCore>
        LIBS fmt::fmt nlohmann_json::nlohmann_json Qt6::Core DEFINITIONS QT_NO_KEYWORDS)
endif()

function(_espalier_module_common target name sources headers depends libs)
    file(GLOB headers CONFIGURE_DEPENDS RELATIVE "${CMAKE_CURRENT_SOURCE_DIR}" "*.h")
    target_sources(${target} PRIVATE ${sources}
        PUBLIC FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/core" FILES ${headers})
    list(TRANSFORM depends PREPEND "espalier_" OUTPUT_VARIABLE targets)
    target_link_libraries(${target} PUBLIC ${targets} ${libs} PRIVATE espalier_flags)
    set_target_properties(${target} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
    list(JOIN depends " " text)
    set_property(GLOBAL APPEND PROPERTY ESPALIER_MODULES "${name}: ${text}")
endfunction()

# A folder of core: a static library `espalier_<name>`, gathered into libespalier-core.so.
# LIBS are third-party libraries.
function(espalier_core_module name)
    cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LIBS" ${ARGN})
    add_library(espalier_${name} STATIC)
    _espalier_module_common(espalier_${name} ${name} "${ARG_SOURCES}" "" "${ARG_DEPENDS}" "${ARG_LIBS}")
    target_precompile_headers(espalier_${name} REUSE_FROM espalier_headers_core)
    set_property(GLOBAL APPEND PROPERTY ESPALIER_CORE_TARGETS espalier_${name})
    set_property(GLOBAL APPEND PROPERTY ESPALIER_CORE_LIBS ${ARG_LIBS})
endfunction()

# A folder of core that sees libtorch: static too, but linked into the module espalier-torch, and
# against libespalier-core.so, so that the process holds one copy of everything else.
function(espalier_torch_module name)
    cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;CORE;LIBS" ${ARGN})
    add_library(espalier_${name} STATIC)
    _espalier_module_common(espalier_${name} ${name} "${ARG_SOURCES}" "" "${ARG_DEPENDS}"
                            "espalier-core;${ARG_LIBS}")
    target_precompile_headers(espalier_${name} REUSE_FROM espalier_headers_torch)
    # CORE: modules inside libespalier-core.so that this one may include.
    list(JOIN ARG_CORE " " text)
    set_property(GLOBAL APPEND PROPERTY ESPALIER_MODULES "${name}: ${text}")
endfunction()

# A Qt Test program `tst_<file>`. LINK names targets; FOLDER the label that ctest shows.
# Tests find their files through ESPALIER_TEST_DATA (tests/golden) and ESPALIER_SAMPLE.
function(espalier_test name)
    cmake_parse_arguments(ARG "SLOW;UI" "" "SOURCES;LINK" ${ARGN})
    if(NOT ARG_SOURCES)
        set(ARG_SOURCES ${name}.cpp)
    endif()
    # Each program has one class with slots, in its main file: calling moc for that file alone spares a
    # hundred programs AUTOMOC's scan and an empty translation unit each.
    set(moc "${CMAKE_CURRENT_BINARY_DIR}/${name}.moc")
    qt6_generate_moc(${name}.cpp "${moc}")
    add_executable(${name} ${ARG_SOURCES} "${moc}")
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
    target_include_directories(${name} PRIVATE "${CMAKE_CURRENT_BINARY_DIR}")
    # A test is compiled more often than its speed matters.
    target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
    target_compile_definitions(${name} PRIVATE
        ESPALIER_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/golden"
        ESPALIER_SAMPLE="${PROJECT_SOURCE_DIR}/resources/sample")
    target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
    # libtorch has members called slots.
    target_compile_definitions(${name} PRIVATE QT_NO_KEYWORDS)
    target_link_libraries(${name} PRIVATE ${ARG_LINK} Qt6::Test fmt::fmt espalier_flags)
    set(headers tests)
    if(ARG_UI)
        set(headers ui)
    elseif(ARG_LINK MATCHES "espalier_(nn|torch_services)")
        set(headers torch)
    endif()
    target_precompile_headers(${name} REUSE_FROM espalier_headers_${headers})
    add_test(NAME ${name} COMMAND ${name})
    get_filename_component(folder "${CMAKE_CURRENT_SOURCE_DIR}" NAME)
    set(labels ${folder})
    if(ARG_SLOW)
        list(APPEND labels slow)
    endif()
    if(ARG_UI)
        list(APPEND labels ui)
        set_tests_properties(${name} PROPERTIES ENVIRONMENT "QT_QPA_PLATFORM=offscreen")
    else()
        list(APPEND labels core)
    endif()
    set_tests_properties(${name} PROPERTIES LABELS "${labels}" TIMEOUT 300)
endfunction()
