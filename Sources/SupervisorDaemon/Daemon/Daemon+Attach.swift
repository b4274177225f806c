// Views of the console that are attached from elsewhere.

import Supervisor

extension Daemon {
  func answerAttach(_ call: ControlCall) throws(ControlCall.AlreadyAnswered) {
    let parameters = try call.parameters(as: AttachParameters.self)
    guard let tap = logs.tap else {
      return call.fail(
        .failed,
        "this daemon has no console: it was not started by fdsupervisord run; see fdsupervisorctl logs")
    }
    let colours: LogContext.Colours = parameters.colours == true ? .on : .off
    let render = { [logs] (lines: [ConsoleLine]) in
      LogsReply(lines: lines.map { $0.rendered(colours: colours, width: logs.nameWidth) })
    }
    let last = render(tap.last(parameters.lines ?? Self.attachedLines))
    guard call.wantsMore else { return call.reply(last) }
    call.dropRemark = { LogsReply(lines: ["… \($0) lines dropped: this view is too slow"]) }
    call.progress(last, weight: last.lines.count)
    let key = tap.subscribe { [weak call] in call?.progress(render($0), weight: $0.count) }
    call.onClose = { tap.cancel(key) }
  }

  /// What a view begins with that does not say.
  private static let attachedLines = 10
}
