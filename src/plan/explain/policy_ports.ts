// The ports of a policy: which of its frontend's lead to which of its backends'.

import type { Port, Protocol } from "../../model/address.ts";
import type { Service } from "../../model/cluster.ts";
import type { Policy, PolicyPort } from "../../model/policy.ts";

/** A port that clients open, and the one where they arrive; or why there is none. */
export type PortPair =
	| { readonly kind: "pair"; readonly front: PolicyPort; readonly back: PolicyPort }
	| { readonly kind: "unpaired"; readonly front: PolicyPort; readonly why: string };

/** Of every port of the frontend; `service` is the one that the policy names. */
export function pairPorts(policy: Policy, service: Service | undefined): readonly PortPair[] {
	const { ports } = policy.frontend;
	const backs = backPortsOf(policy);
	if (service === undefined) return ports.map((front) => pairListed(front, backs));
	if (ports.length === 0) return service.ports.map((front) => pairOfService(front, backs));
	return ports.map((front) =>
		service.ports.some((each) => isAt(each, front))
			? pairListed(front, backs)
			: { kind: "unpaired", front, why: `Service ${service.key} has no port ${textOf(front)}` },
	);
}

/** `dns 53/UDP`, or `53/UDP` where it has no name. */
export function textOf({ name, port, protocol }: PolicyPort): string {
	return `${name === "" ? "" : `${name} `}${port}/${protocol}`;
}

function backPortsOf(policy: Policy): readonly PolicyPort[] {
	return policy.kind === "LocalRedirectPolicy" ? policy.ports : policy.backend.ports;
}

function pairListed(front: PolicyPort, backs: readonly PolicyPort[]): PortPair {
	const back = backs.find((each) => isNamed(each, front));
	if (back !== undefined) return { kind: "pair", front, back };
	const named = front.name === "" ? "without a name" : `of the name ${front.name}`;
	return { kind: "unpaired", front, why: `its backend has no ${front.protocol} port ${named}` };
}

/** A Service's name for a port need not be the policy's. */
function pairOfService({ name, port, protocol }: PolicyPort, backs: readonly PolicyPort[]): PortPair {
	const front = { name, port, protocol };
	const back = backs.find((each) => isNamed(each, front)) ?? backs.find((each) => isAt(each, front));
	return back === undefined
		? { kind: "unpaired", front, why: `its backend has no ${protocol} port of the name or number of ${textOf(front)}` }
		: { kind: "pair", front, back };
}

function isNamed(port: PolicyPort, { name, protocol }: PolicyPort): boolean {
	return port.name === name && port.protocol === protocol;
}

interface Numbered {
	readonly port: Port;
	readonly protocol: Protocol;
}

export function isAt(port: Numbered, asked: Numbered): boolean {
	return port.port === asked.port && port.protocol === asked.protocol;
}
