// Programs that see to changed files themselves: two that relaunch for one change would be one too many.

/// A way in which a command says that it watches files.
package struct OwnReloader: Hashable, Sendable {
  /// A word of the command: a program's name, without its folder.
  var program: String
  /// Words that turn it on; empty: it always does.
  var words: [String] = []
  /// Words that turn it off.
  var unless: [String] = []

  package static let all: [OwnReloader] = [
    OwnReloader(program: "flask", words: ["--debug", "--reload"], unless: ["--no-reload"]),
    OwnReloader(program: "uvicorn", words: ["--reload"]),
    OwnReloader(program: "hypercorn", words: ["--reload"]),
    OwnReloader(program: "gunicorn", words: ["--reload"]),
    OwnReloader(program: "granian", words: ["--reload"]),
    OwnReloader(program: "runserver", unless: ["--noreload"]),
    OwnReloader(program: "node", words: ["--watch", "--watch-path"]),
    OwnReloader(program: "tsx", words: ["watch"]),
    OwnReloader(program: "deno", words: ["--watch"]),
    OwnReloader(program: "bun", words: ["--watch", "--hot"]),
    OwnReloader(program: "vite", unless: ["preview", "build"]),
    OwnReloader(program: "next", words: ["dev"]),
    OwnReloader(program: "nodemon"), OwnReloader(program: "watchexec"), OwnReloader(program: "entr"),
    OwnReloader(program: "watchfiles"), OwnReloader(program: "watchmedo"), OwnReloader(program: "air"),
    OwnReloader(program: "fastapi", words: ["dev", "--reload"]),
    OwnReloader(program: "rails"), OwnReloader(program: "cargo-watch"),
  ]

  /// The word by which a command says so; nil when it says nothing of it.
  package static func word(in command: [String]) -> String? {
    let names = command.map { $0.split(separator: "/").last.map(String.init) ?? $0 }
    for (index, name) in names.enumerated() {
      for reloader in all where reloader.program == name {
        let rest = command[(index + 1)...]
        if rest.contains(where: { reloader.unless.contains($0) }) { continue }
        if reloader.words.isEmpty { return name }
        let found = rest.first { word in
          reloader.words.contains { word == $0 || word.hasPrefix($0 + "=") }
        }
        if let found { return "\(name) \(found)" }
      }
    }
    return nil
  }
}
