# Compiler settings that hold for every target. Warnings travel on the interface target
# `espalier_flags`; what has to hold for the whole program (language, sanitizers) is global.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
# The window and the command line find the library and the torch module beside them.
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)
set(CMAKE_INSTALL_RPATH "$ORIGIN/../lib/espalier")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
    # Without these ccache stores nothing that reads a precompiled header.
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros
        "${CCACHE_PROGRAM}")
    add_compile_options(-fpch-preprocess)
endif()

add_library(espalier_flags INTERFACE)
target_compile_options(espalier_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # GCC 12 sees overlapping copies in every `std::string + "text"` (its bugs 105329 and 105651).
    target_compile_options(espalier_flags INTERFACE -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow)
endif()
if(ESPALIER_SANITIZE)
    # GCC's flow warnings see ghosts through sanitizer instrumentation.
    target_compile_options(espalier_flags INTERFACE -Wno-error=maybe-uninitialized -Wno-error=uninitialized)
    add_compile_options(-fsanitize=${ESPALIER_SANITIZE} -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${ESPALIER_SANITIZE})
endif()
