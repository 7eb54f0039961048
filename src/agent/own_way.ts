// Which way the agent takes to one hub: as any client, or past the frontends that it programs itself.

import { decodeFrontend, decodeFrontendKey, decodeName, encodeId } from "../datapath/codec.ts";
import type { Contents } from "../datapath/contents.ts";
import type { Attempt, OwnWay } from "../hub/own_way.ts";
import type { Log } from "../lib/log.ts";
import type { Bypass } from "./bypass.ts";

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
	readonly actual: () => Pick<Contents, "frontends" | "names">;
	readonly log: Log;
}

/** A frontend that did not lead to the hub, which was reached past it. */
interface Obstacle {
	readonly key: string;
	/** With other contents it may lead there. */
	readonly value: string | undefined;
	readonly title: string;
}

interface State {
	/** The next try goes past the frontends. */
	past: boolean;
	/** What has worked; undefined as long as that is the way of any client, or nobody knows. */
	obstacle: Obstacle | undefined;
}

/** `10.96.0.1:443/TCP (default/kubernetes:https)`. */
function titleOf(key: string, { frontends, names }: ReturnType<OwnWayOptions["actual"]>): string {
	const address = decodeFrontendKey(key) ?? "an address that is a frontend no more";
	const value = frontends.get(key);
	const name = value === undefined ? undefined : names.get(encodeId(decodeFrontend(value).id));
	return name === undefined ? address : `${address} (${decodeName(name)})`;
}

/**
 * Of one hub. It is asked as any client would ask it, and past all frontends after that has failed; then again as any client,
 * and so on: what works is kept until it fails, or until the frontend that was in the way is another one. Where no frontend
 * is on the way to the hub, the two are the same.
 */
export function createOwnWay({ bypass, actual, log }: OwnWayOptions): AgentOwnWay {
	const state: State = { past: false, obstacle: undefined };

	/** A frontend that changed has earned a try. */
	function forgetWhatChanged(): void {
		const { obstacle } = state;
		if (obstacle === undefined || actual().frontends.get(obstacle.key) === obstacle.value) return;
		state.obstacle = undefined;
		state.past = false;
		const { title } = obstacle;
		log.info({ frontend: title }, "The frontend on the way to the hub has changed: the next connection tries it");
	}

	function remember(url: string): void {
		if (state.obstacle !== undefined) return;
		const key = bypass.last();
		const title = titleOf(key, actual());
		state.obstacle = { key, value: actual().frontends.get(key), title };
		log.warn(
			{ hub: url, frontend: title },
			"The hub is reached without translation: this frontend does not lead to it",
		);
	}

	const translated: Attempt = {
		patience: undefined,
		worked() {
			if (state.obstacle === undefined) state.past = false;
		},
		failed() {
			state.past = true;
			return "later";
		},
		[Symbol.dispose]() {},
	};

	function untranslated(url: string, grant: Disposable): Attempt {
		const before = bypass.count();
		const passedSome = () => bypass.count() !== before;
		return {
			patience: state.obstacle === undefined ? PATIENCE : undefined,
			worked() {
				if (passedSome()) remember(url);
				// Else it made no difference, or the connection was there already.
				state.past = state.obstacle !== undefined;
			},
			failed() {
				state.past = false;
				state.obstacle = undefined;
				return passedSome() ? "again" : "later";
			},
			[Symbol.dispose]: () => grant[Symbol.dispose](),
		};
	}

	return {
		begin(url) {
			forgetWhatChanged();
			const time = state.obstacle === undefined ? PATIENCE : LONGEST;
			const grant = state.past ? bypass.grant(time) : undefined;
			if (grant !== undefined) return untranslated(url, grant);
			bypass.closeAll();
			return translated;
		},
		trouble() {
			forgetWhatChanged();
			return state.obstacle === undefined
				? null
				: `It is reached without translation: ${state.obstacle.title} does not lead to it`;
		},
	};
}
