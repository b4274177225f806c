// The command line tool: the plain forms at once, everything else through the argument parser.

import Glibc

let arguments = Array(CommandLine.arguments.dropFirst())
exit(FastPath(arguments)?.run() ?? Fdsupervisorctl.start(arguments))
