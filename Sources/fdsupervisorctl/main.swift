import ArgumentParser
struct C: ParsableCommand {}
C.main()
