// A C++ program that does nothing, linked as the command line is: what any start of a process costs.

#include <string>

int main(int argc, char** argv) { return std::string(argv[0]).empty() ? argc : 0; }
