// What `fdsupervisord run --help` says.

enum RunHelp {
  static let text = """
    fdsupervisord run: keeps a program running while you work on it. The ports that it binds stay open through every
    restart, what it leaves behind is removed, and a changed file restarts it.

    usage: fdsupervisord run [OPTIONS] -- COMMAND [ARGUMENT…]
           fdsupervisord run [OPTIONS] [SERVICE…]      those of ./fdsupervisord.toml or ./Procfile, or some of them

      -l, --listen ADDR   own this address from the start (8000, 127.0.0.1:8000, unix:app.sock); may be repeated.
                          Without it the ports are found when the program binds them
      -w, --watch GLOB    restart when such a file changes ("**/*.py"); may be repeated; default: usual source files
      -i, --ignore GLOB   … but not for these, nor for what .gitignore names
      --no-watch          watch nothing
      --delay TIME        how long a burst of changes has to be quiet: 50ms
      -n, --name NAME     what the service is called: its program's name
      -e, --env-file F    variables for the services; beside a Procfile .env is read by itself
      -f, --procfile F    a Procfile elsewhere;  -c, --config F: a configuration elsewhere
      -p, --port PORT     the first PORT of a Procfile's services: 5000, 5100 for the second, …
      --pass NAME         how sockets are handed over, fdsupervisord.toml(5); default: bind(2) is answered
      --stdin             the program gets the terminal (pdb, binding.pry); keys are off then
      --take-over         end whoever has a port that is needed, without asking
      --no-page           no error page in the browser while the program is down
      -d, --detach        in the background; `fdsupervisord run` in the same directory shows it again
      --control SOCKET    where fdsupervisorctl finds it; by itself it does in this directory and those below

    Keys: r restart, s status, t tree with descriptors, f free a taken port, q quit, ? help. Ctrl-C ends, twice: now.
    A second `run` in the same directory shows the first; Ctrl-C leaves it running.
    Exit status: 0 ended as asked; with --no-watch that of the command; 1 can't start; 64 usage; 78 a wrong file.
    See fdsupervisord-run(1), fdsupervisorctl(1).

    """
}
