// fdsupervisord: arguments → Daemon.

import SupervisorDaemon

Program.main()
