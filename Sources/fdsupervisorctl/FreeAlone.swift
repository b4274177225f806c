// `free` where no daemon does it: look, ask, end, and look again.

import Glibc
import Supervisor

struct FreeAlone {
  let address: SocketAddress
  let session: Session
  /// A person is asked first.
  let asks: Bool

  /// 0 when nobody listens there at the end.
  func run() throws(Failure) -> Int32 {
    let before = try look()
    let plan = RemovalPlan(holders: before.reply.holders.map(\.pid))
    if plan.chosen.isEmpty, !plan.refusals.isEmpty {
      throw Failure(ExitStatus.failed, plan.refusals.joined(separator: "; "))
    }
    guard !plan.chosen.isEmpty else { return try show(before.reply, isHeld: before.isHeld) }
    if asks {
      let lines = plan.chosen.map(\.description) + plan.advice + plan.refusals
      guard Confirmation.ask(lines, count: plan.chosen.count) else { return ExitStatus.failed }
    }
    let done = HolderRemoval.run(plan.chosen)
    var after = try look()
    after.reply.remarks =
      plan.refusals + done + (asks ? [] : plan.advice) + successors(of: before.reply, after.reply)
      + after.reply.remarks
    return try show(after.reply, isHeld: after.isHeld)
  }

  private func look() throws(Failure) -> HolderQuery.View {
    do throws(SystemError) {
      return try HolderQuery.view(of: address)
    } catch { throw Failure(ExitStatus.failed, error.description) }
  }

  private func show(_ reply: HoldersReply, isHeld: Bool) throws(Failure) -> Int32 {
    if session.format == .json {
      Output.print(json: try Session.encode(reply))
    } else {
      Output.print(HoldersText.lines(reply, style: session.style))
    }
    return isHeld ? ExitStatus.failed : ExitStatus.done
  }

  /// Who came in the meantime, and who started it: something that starts its children again.
  private func successors(of before: HoldersReply, _ after: HoldersReply) -> [String] {
    Set(after.holders.map(\.pid)).subtracting(before.holders.map(\.pid)).sorted().map { pid in
      let parent = ProcessTable.stat(of: pid).flatMap {
        $0.parent > 1 ? ProcessDescription.of($0.parent) : nil
      }
      return "pid \(pid) has taken it since"
        + (parent.map { "; it was started by \($0): end that first" } ?? "")
    }
  }
}

/// The question before processes are ended, on the terminal.
enum Confirmation {
  static func ask(_ lines: [String], count: Int) -> Bool {
    let list = lines.map { "  \($0)\n" }.joined()
    let what = count == 1 ? "this process" : "these \(count) processes"
    Output.write("\(list)End \(what)? [y/N] ", to: STDERR_FILENO)
    return ["y", "yes"].contains((readLine() ?? "").lowercased())
  }
}
