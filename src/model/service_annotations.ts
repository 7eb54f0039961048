// A Service's annotations of ours: what Kubernetes has no field for.

import type { ClientIdentity, Service } from "./cluster.ts";
import { readHealthCheck } from "./health_check.ts";
import { type Metadata, readString } from "./metadata.ts";
import type { Report } from "./report.ts";
import { ClientIdentityName, CloseOnRemove, Global, PeerAddress, ReachMode } from "./schemas.ts";

const PEER_ADDRESS = "balancing.elf.io/peer-address";
const GLOBAL = "balancing.elf.io/global";
const CLOSE_ON_REMOVE = "balancing.elf.io/close-on-remove";
const CLIENT_IDENTITY = "balancing.elf.io/client-identity";
const REACH = "balancing.elf.io/reach";

export interface ServiceAnnotations
	extends Pick<Service, "peerAddress" | "global" | "closeOnRemove" | "reach" | "healthCheck"> {
	readonly client: ClientIdentity;
}

/** What they say, with the defaults in place of what is absent or wrong. */
export function readServiceAnnotations(meta: Metadata, report: Report): ServiceAnnotations {
	const at = (name: string, consequence: string) => ({ path: ["metadata", "annotations", name], consequence });
	const text = (name: string): string | undefined => readString("annotations", meta, name, report);
	const peerAddress = report.read(PeerAddress, text(PEER_ADDRESS), at(PEER_ADDRESS, "frontend is used"));
	const global = report.read(Global, text(GLOBAL), at(GLOBAL, "false is used"));
	const close = report.read(CloseOnRemove, text(CLOSE_ON_REMOVE), at(CLOSE_ON_REMOVE, "udp is used"));
	const client = report.read(ClientIdentityName, text(CLIENT_IDENTITY), at(CLIENT_IDENTITY, "netns is used"));
	const reach = report.read(ReachMode, text(REACH), at(REACH, "the agent's own is used"));
	const healthCheck = readHealthCheck(meta, report);
	return {
		peerAddress: peerAddress ?? "frontend",
		global: global === "true",
		client: client ?? "netns",
		...(close === undefined || close === "udp" ? {} : { closeOnRemove: close }),
		...(reach === undefined ? {} : { reach }),
		...(healthCheck === undefined ? {} : { healthCheck }),
	};
}
