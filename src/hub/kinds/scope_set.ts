// All that is followed of one hub: some collections in any case, and the Pods that its policies select.

import type { Log } from "../../lib/log.ts";
import { type ClusterView, createClusterView } from "./cluster_view.ts";
import { createKindState, type KindState } from "./kind_state.ts";
import type { Audience, Known, Need } from "./needs.ts";
import { createPolicyGate, type KnownPolicy } from "./policy_gate.ts";
import { type Narrowing, type Scope, scopesOf } from "./scopes.ts";
import { createSelectedPods, type Following } from "./selected_pods.ts";
import { createPodHolders, type Holder, viewOfPods, viewUntil } from "./watched_view.ts";

/** Watches of selected Pods at the most. Runtimes have some 250 connections: an agent may have several hubs, the controller has one. */
const MOST = { node: 64, cluster: 200 } as const;

export interface ScopeSet {
	readonly view: Pick<ClusterView, "snapshot">;
	/** Of all collections that are followed now. */
	states(): readonly KindState[];
	/** To be called before a snapshot is taken: policies are shown, and Pods followed, as it is time. */
	review(): void;
	/** Follows them until the signal is aborted. */
	run(): Promise<void>;
}

/** Keeps a view equal to one collection. */
export interface Follower extends Holder {
	/** Until the signal is aborted. */
	run(): Promise<void>;
	/** Lets go of all objects. */
	clear(): void;
}

export interface FollowedScope {
	readonly scope: Scope;
	readonly state: KindState;
	readonly view: ClusterView;
	readonly signal: AbortSignal;
}

export interface ScopeSetOptions {
	readonly audience: Audience;
	readonly needs: readonly Need[];
	readonly narrowing: Narrowing;
	readonly log: Log;
	readonly signal: AbortSignal;
	/** Something that a snapshot depends on has changed. */
	readonly onChange: () => void;
	readonly follow: (followed: FollowedScope) => Follower;
}

export function createScopeSet(options: ScopeSetOptions): ScopeSet {
	const { needs, narrowing, signal, log, onChange, follow } = options;
	const view = createClusterView();
	const pods = createPodHolders();
	const running = createRunning();

	function open(scope: Scope): Following {
		const own = new AbortController();
		const until = viewUntil(own.signal, scope.need.kind === "Pod" ? viewOfPods(view, pods) : entry);
		const state = createKindState({ scope, view: until, log, onChange });
		const follower = follow({ scope, state, view: until, signal: AbortSignal.any([signal, own.signal]) });
		if (scope.need.kind === "Pod") pods.holders.add(follower);
		running.start(follower);
		return {
			state,
			close() {
				pods.holders.delete(follower);
				follower.clear();
				until.complain(scope.title, []);
				own.abort();
			},
		};
	}

	const selected = createSelectedPods({ need: podNeed(needs), narrowing, most: MOST[options.audience.kind], open });
	const gate = createPolicyGate({ ...options, view, pods: selected });
	const entry: ClusterView = {
		change(before, after) {
			const [was, is] = [policyIn(before), policyIn(after)];
			if (was === undefined && is === undefined) view.change(before, after);
			else gate.change(was, is);
		},
		complain: view.complain,
		snapshot: view.snapshot,
	};
	const always = scopesOf(needs, narrowing).map(open);
	return {
		view,
		states: () => [...always.map(({ state }) => state), ...selected.states()],
		review: gate.review,
		run: running.run,
	};
}

/** Followers that come before `run` wait for it, and it for all of them. */
function createRunning() {
	const waiting: Follower[] = [];
	const runs = new Set<Promise<void>>();
	let isRunning = false;

	function launch(follower: Follower): void {
		const run = follower.run().finally(() => runs.delete(run));
		runs.add(run);
	}

	return {
		start(follower: Follower): void {
			if (isRunning) launch(follower);
			else waiting.push(follower);
		},
		async run(): Promise<void> {
			isRunning = true;
			for (const follower of waiting.splice(0)) launch(follower);
			while (runs.size > 0) await Promise.all(runs);
		},
	};
}

function policyIn(known: Known | undefined): KnownPolicy | undefined {
	return known?.kind === "LocalRedirectPolicy" || known?.kind === "BalancingPolicy" ? known : undefined;
}

function podNeed(needs: readonly Need[]): Need {
	const found = needs.find(({ kind }) => kind === "Pod");
	if (found === undefined) throw new Error("Cannot follow what policies select: there is no row for Pods");
	return found;
}
