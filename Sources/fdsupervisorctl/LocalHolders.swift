// Who holds an address, found out by this process itself: for when there is no daemon to ask.

import Supervisor

/// MERGE: replace the body by `HolderQuery.holders(of: address)` of Sources/Supervisor/Ports.
func localHolders(_ address: SocketAddress) -> HoldersReply {
  HoldersReply(
    address: address.description, holders: [],
    remarks: ["cannot tell who holds \(address): there is no daemon to ask"])
}
