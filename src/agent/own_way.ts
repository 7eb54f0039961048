// Which way the agent takes to one hub: as any client, or past the frontends that it programs itself.

import { addressKeyOf } from "../datapath/address_codec.ts";
import { decodeFrontend, decodeFrontendKey, decodeName, encodeFrontendKey, encodeId } from "../datapath/codec.ts";
import type { Contents } from "../datapath/contents.ts";
import type { Attempt, OwnWay, Way } from "../hub/own_way.ts";
import type { Log } from "../lib/log.ts";
import { l4Address, parseIp, parsePort } from "../model/address.ts";
import type { Bypass, Stretch } from "./bypass.ts";

/** Milliseconds that a try past the frontends has, as long as none has worked: on many hosts nothing is there. */
const PATIENCE = 10_000;
/** Milliseconds that it has after that: as long as any request waits for its answer to begin. */
const LONGEST = 30_000;

export interface AgentOwnWay extends OwnWay {
	/** Null as long as the hub is reached as any client would. */
	trouble(): string | null;
}

export interface OwnWayOptions {
	readonly bypass: Bypass;
	/** What the kernel holds. */
	readonly actual: () => Pick<Contents, "frontends" | "names" | "addresses">;
	readonly log: Log;
}

/** A frontend that did not lead to the hub, which was reached past it. */
interface Obstacle {
	readonly key: string;
	/** With other contents it may lead there. */
	readonly value: string | undefined;
	readonly title: string;
}

type Actual = ReturnType<OwnWayOptions["actual"]>;

/** What stands in the way there: a frontend, or a Service's address that has none on this port. */
export function obstacleAt(
	key: string,
	{ frontends, addresses }: Pick<Actual, "frontends" | "addresses">,
): string | undefined {
	return frontends.get(key) ?? addresses.get(addressKeyOf(key));
}

/** The key that an address in the URL has in `frontends`; undefined if a name stands there. */
function keyOf(target: string): string | undefined {
	const { protocol, hostname, port } = new URL(target);
	const ip = parseIp(hostname.replace(/^\[|\]$/g, ""));
	const number = parsePort(port === "" ? (protocol === "https:" ? 443 : 80) : Number(port));
	return ip === undefined || number === undefined ? undefined : encodeFrontendKey(l4Address(ip, number, "TCP"));
}

/** `10.96.0.1:443/TCP (default/kubernetes:https)`. */
function titleOf(key: string, { frontends, names }: Actual): string {
	const address = decodeFrontendKey(key) ?? "a frontend";
	const value = frontends.get(key);
	const name = value === undefined ? undefined : names.get(encodeId(decodeFrontend(value).id));
	return name === undefined ? address : `${address} (${decodeName(name)})`;
}

/**
 * Of one hub. It is asked as any client would ask it. Where that fails, and a frontend was on the way, it is asked past all
 * frontends at once; if that works, it is the way until it fails, or until the frontend that was in the way is another one.
 */
export function createOwnWay({ bypass, actual, log }: OwnWayOptions): AgentOwnWay {
	/** What is gone past; undefined as long as the hub is reached as by any client, or not at all. */
	let obstacle: Obstacle | undefined;

	function forgetWhatChanged(): void {
		if (obstacle === undefined || obstacleAt(obstacle.key, actual()) === obstacle.value) return;
		log.info(
			{ frontend: obstacle.title },
			"The frontend on the way to the hub has changed: the next connection tries it",
		);
		obstacle = undefined;
	}

	function remember(target: string): void {
		if (obstacle !== undefined) return;
		const contents = actual();
		const own = keyOf(target);
		// Another hub may have come to the last one: an address that is known is more certain.
		const key = own !== undefined && contents.frontends.has(own) ? own : bypass.last();
		const title = titleOf(key, contents);
		obstacle = { key, value: obstacleAt(key, contents), title };
		const hub = new URL(target).host;
		log.warn({ hub, frontend: title }, "The hub is reached without translation: this frontend does not lead to it");
	}

	function translated(stretch: Stretch | undefined, isFirst: boolean): Attempt {
		return {
			patience: undefined,
			worked() {},
			failed: () => (isFirst && stretch?.met() === true ? "untranslated" : undefined),
			[Symbol.dispose]: () => stretch?.[Symbol.dispose](),
		};
	}

	function untranslated(stretch: Stretch, target: string, isFirst: boolean): Attempt {
		return {
			patience: obstacle === undefined ? PATIENCE : undefined,
			worked() {
				// Else the connection was there already.
				if (stretch.met()) remember(target);
			},
			failed() {
				obstacle = undefined;
				return isFirst ? "translated" : undefined;
			},
			[Symbol.dispose]: () => stretch[Symbol.dispose](),
		};
	}

	function usual(): Way {
		forgetWhatChanged();
		return obstacle === undefined ? "translated" : "untranslated";
	}

	return {
		begin(target, way) {
			const isFirst = way === undefined;
			if ((way ?? usual()) === "translated") return translated(bypass.begin(0), isFirst);
			const stretch = bypass.begin(obstacle === undefined ? PATIENCE : LONGEST);
			return stretch === undefined ? translated(undefined, isFirst) : untranslated(stretch, target, isFirst);
		},
		trouble() {
			forgetWhatChanged();
			if (obstacle === undefined) return null;
			return `It is reached without translation: ${obstacle.title} does not lead to it`;
		},
	};
}
