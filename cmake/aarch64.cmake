# Cross compiling for 64-bit ARM with the compiler of Debian, and running under qemu, whose `max` has every extension.

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -cpu max)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)

# Headers of libraries, without those of this system beside them.
set(THIMBLE_CROSS_INCLUDE ${CMAKE_CURRENT_LIST_DIR}/../build-aarch64/include)
file(MAKE_DIRECTORY ${THIMBLE_CROSS_INCLUDE})
file(CREATE_LINK /usr/include/nlohmann ${THIMBLE_CROSS_INCLUDE}/nlohmann SYMBOLIC)
