// fdsupervisord: arguments → Daemon, or a run at a desk.

import Glibc
import SupervisorDaemon

Program.prepare()
let words = Array(CommandLine.arguments.dropFirst())
if words.first == "run" { exit(RunProgram.main(Array(words.dropFirst()))) }
Program.main()
