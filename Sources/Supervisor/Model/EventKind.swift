// What an operator may match on in the daemon's log: MESSAGE_ID=, explained by units/fdsupervisord.catalog.

/// A kind of entry in the daemon's own log.
///
/// The identifiers are for ever: others match on them. A new kind gets a new one (`systemd-id128 new`) and an entry in
/// the catalog.
package enum EventKind: Hashable, Sendable, CaseIterable {
  /// The daemon has its sockets and begins to start services.
  case daemonStarted
  /// It was told to stop.
  case daemonStopping
  /// Everything is stopped.
  case daemonStopped
  /// A generation is ready.
  case serviceReady
  /// What a relaunch or a stop found and did.
  case relaunchReport
  /// A service was stopped, as somebody asked.
  case serviceStopped
  /// The main process ended by itself.
  case mainExited
  /// A generation was not executed.
  case launchFailed
  /// A generation was not ready in time, or ended before.
  case notReady
  /// The next launch waits.
  case backingOff
  /// A service is failed until somebody starts it.
  case gaveUp
  /// The stop signal was not enough: SIGKILL.
  case stopEscalated
  /// A process that outlived its generation was removed.
  case straySwept
  /// A process that outlived its generation lives on, by the configuration.
  case strayReleased
  /// A process does not die; nothing is launched beside it.
  case unkillable
  /// A foreign process has a guarded port.
  case portTaken
  /// It let go of it.
  case portFree
  /// A process that is not ours has an owned listener.
  case strangerHolds
  /// Somebody killed a keeper.
  case keeperLost
  /// A generation that a daemon left when it died goes on.
  case takenOver
  /// One that it left is ended.
  case leftoverEnded
  /// Somebody stopped a keeper; it was continued.
  case keeperStopped
  /// What a service did to a listener was undone.
  case listenerRepaired
  /// Of a socket's opening, inheriting or closing there is something to know.
  case socketRemark
  /// Listeners came back from the descriptor store.
  case storeReturned
  /// Watched files changed: the service is restarted.
  case filesChanged
  /// The configuration was read again, and is in force.
  case reloaded
  /// It was read again, and is not: nothing was changed.
  case reloadRefused
  /// Another program took the daemon's place, in its process.
  case daemonReplaced
  /// A program was to take the daemon's place and could not.
  case replacementRefused

  /// MESSAGE_ID= of systemd.journal-fields(7): 128 bits as 32 hexadecimal digits.
  package var messageID: String {
    switch self {
    case .daemonStarted: "df22f72d2472416985af73fd7f617efe"
    case .daemonStopping: "3951dd270c8b48f1989fef5d4b0802e2"
    case .daemonStopped: "1d5dfb3f4b364d10a06c4a6687fb58bf"
    case .serviceReady: "dce59b206dea4be28f1081cde53e1750"
    case .relaunchReport: "df9c72fe55f04fc782a90ea7971175fe"
    case .serviceStopped: "14278cc36e174f7cbf77f7d3cdd2f8f2"
    case .mainExited: "3b025feb384649e99ff9f69e7a893646"
    case .launchFailed: "9906cc6e17724598a372ed3c9b2a79ae"
    case .notReady: "ff9a792faea741918a497b2e91d23bdf"
    case .backingOff: "e0361ae0a437497ca5ed911416542743"
    case .gaveUp: "bf68cf706b784ffc8ef559a71d92666c"
    case .stopEscalated: "78add2f1d44146368ba3a78f390b857d"
    case .straySwept: "13126b7dec5a4644902094025ad0f54a"
    case .strayReleased: "c401d4b71ee54595a4168a6dfcd2c5d5"
    case .unkillable: "5216e2b65b274d3cb8444e6de4aea0e0"
    case .portTaken: "5539cebdc32c4fd693229b9d03325648"
    case .portFree: "4cbd8c24f53d4741844e016748131395"
    case .strangerHolds: "ba97ed57333648aeb58bd352e72f457f"
    case .keeperLost: "fb017540b37742c2b430ce0de27d5621"
    case .takenOver: "d6f1c4cbaff841a78a2bc36b0c8d3861"
    case .leftoverEnded: "fdfe20802aff4615b8d37b059fb24955"
    case .keeperStopped: "3461b57797a14c8e98418b58fb6545ab"
    case .listenerRepaired: "bd93b22eb352486cb4af1358f14047ee"
    case .socketRemark: "5ca25490f45d4aadba54b4aecfe59f18"
    case .storeReturned: "7ac92c154b3f4abf8929bdb0fc31b88d"
    case .filesChanged: "b0281d6f48be48ecba3e84f7cf7a2e38"
    case .reloaded: "f9ef811f1e9848af84efa798ff407553"
    case .reloadRefused: "9c2d29f2e4374f9d9d9a914d6a2a0fbf"
    case .daemonReplaced: "e26ef10baecf4a78805020b149bf8fde"
    case .replacementRefused: "ab73b82e03fa40b89fc41c57be3d73a7"
    }
  }
}
