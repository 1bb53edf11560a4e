# Flags for every target of ours, and two functions that keep the folders' CMakeLists short.

add_library(twinspool_flags INTERFACE)
if(TWINSPOOL_SANITIZE)
  set(twinspool_hardening "")
else()
  set(twinspool_hardening
    $<$<CONFIG:Release,RelWithDebInfo>:-fstack-protector-strong;-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>)
endif()
target_include_directories(twinspool_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(twinspool_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
  -Woverloaded-virtual -Wnon-virtual-dtor -Wcast-qual -Wformat=2 -Wimplicit-fallthrough -Wundef
  $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond;-Wlogical-op;-Wsuggest-override>
  # GCC 12 sees ghosts inside std::string and std::optional once it optimises.
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<NOT:$<CONFIG:Debug>>>:-Wno-maybe-uninitialized;-Wno-restrict>
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
  $<$<BOOL:${TWINSPOOL_WERROR}>:-Werror>
  -fno-omit-frame-pointer ${twinspool_hardening})
target_compile_definitions(twinspool_flags INTERFACE
  $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION)
# RelWithDebInfo defines NDEBUG; CHECK() of common/check.h stays on in every build.

if(TWINSPOOL_SANITIZE)
  add_compile_options(-fsanitize=${TWINSPOOL_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TWINSPOOL_SANITIZE})
endif()
if(TWINSPOOL_FUZZ)
  # Libraries too: libFuzzer finds its way by the coverage of the code under test.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug" AND NOT TWINSPOOL_SANITIZE)
  add_link_options(-Wl,-z,relro,-z,now)
endif()

# twinspool_library(NAME SOURCES a.cc b.cc LINK targets…): one folder, one static library.
function(twinspool_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC ${ARG_LINK} PRIVATE twinspool_flags)
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
endfunction()

# twinspool_test(NAME LABEL unit SOURCES … LINK … [TIMEOUT s]): a gtest binary; each case is a ctest
# test named <label>.<suite>.<case> and labelled <label>.
function(twinspool_test name)
  cmake_parse_arguments(ARG "SERIAL" "LABEL;TIMEOUT" "SOURCES;LINK" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(TWINSPOOL_SANITIZE)
    math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 6")
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} twinspool_flags GTest::gmock GTest::gtest_main)
  include(GoogleTest)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
    TEST_PREFIX "${ARG_LABEL}."
    PROPERTIES LABELS "${ARG_LABEL}" TIMEOUT ${ARG_TIMEOUT} RUN_SERIAL "${ARG_SERIAL}")
endfunction()

# twinspool_fuzz(NAME SOURCE f.cc CORPUS dir LINK …): with TWINSPOOL_FUZZ a libFuzzer program; otherwise
# the same entry point is linked with a small main and replays the corpus as an ordinary test.
function(twinspool_fuzz name)
  cmake_parse_arguments(ARG "" "SOURCE;CORPUS" "LINK" ${ARGN})
  if(TWINSPOOL_FUZZ)
    add_executable(${name} ${ARG_SOURCE})
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${name} ${ARG_SOURCE} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.cc)
    add_test(NAME fuzzcorpus.${name} COMMAND ${name} ${ARG_CORPUS})
    set_tests_properties(fuzzcorpus.${name} PROPERTIES LABELS fuzzcorpus TIMEOUT 120)
  endif()
  target_link_libraries(${name} PRIVATE ${ARG_LINK} twinspool_flags)
endfunction()
