// Random changes of what a hub has.

import type { TestHub } from "../support/hub/hub.ts";
import type { Dice } from "./dice.ts";
import {
	anyPlace,
	anyService,
	anySlice,
	broken,
	type Fields,
	type Named,
	type Place,
	steadyObjects,
} from "./objects.ts";
import { createPolicyWorld, isServed } from "./policy_world.ts";

export interface World {
	/** One change of one object, or of the few that belong together. */
	change(): void;
	/** As many objects as there usually are; the steady Service among them. */
	fill(): void;
	/** Only the steady Service, where there is nothing. */
	refillSteady(): void;
	/** The objects that are there, to be put back into a hub that lost them. */
	backup(): () => void;
}

type Change = (place: Place) => void;

const KINDS = ["Service", "EndpointSlice", "Node", "Pod", "LocalRedirectPolicy", "BalancingPolicy"];
/** Of a hundred changes those of policies, and of what they are about. */
const POLICIES = 45;

export function createWorld(hub: TestHub, dice: Dice): World {
	const put = (object: Named & Fields) => void hub.put(String(object["kind"]), object);
	const exists = (kind: string, { namespace, name }: Place) => hub.get(kind, namespace, name) !== undefined;
	const remove = (kind: string, { namespace, name }: Place) => {
		if (exists(kind, { namespace, name })) hub.delete(kind, namespace, name);
	};
	const sliceNames = ({ name }: Place) => ["v4-a", "v4-b", "v6-a", "v6-b"].map((suffix) => `${name}-${suffix}`);
	const anySliceOf = (place: Place) => anySlice(dice, place, dice.pick(sliceNames(place)));
	const spoiled = new Set<string>();
	const idOf = ({ kind, metadata }: Named & Fields) => `${kind} ${metadata.namespace}/${metadata.name}`;

	/** As an API server takes it; what it would not change is deleted first, as people must do. */
	function apply(object: Named & Fields): void {
		if (spoiled.delete(idOf(object))) remove(String(object["kind"]), object.metadata);
		hub.apply(object);
	}

	function spoil(object: Named & Fields): void {
		spoiled.add(idOf(object));
		put(broken(dice, object));
	}

	/** What it was before may not fit: addresses of a Service are for ever, and so is the family of a slice. */
	function recreate(place: Place): void {
		remove("Service", place);
		apply(anyService(dice, place));
	}

	/** What the API lets people change: all but the addresses. */
	function rewrite(place: Place): void {
		const before = hub.get("Service", place.namespace, place.name);
		const next = anyService(dice, place);
		if (before === undefined) put(next);
		else put({ ...next, spec: { ...Object(next["spec"]), ...addressesOf(before["spec"]) } });
	}

	const changes: readonly Change[] = [
		recreate,
		recreate,
		rewrite,
		rewrite,
		...Array.from({ length: 6 }, (): Change => (place) => apply(anySliceOf(place))),
		(place) => remove("Service", place),
		(place) => remove("EndpointSlice", { ...place, name: dice.pick(sliceNames(place)) }),
		// Away and back within one event loop turn.
		(place) => {
			remove("Service", place);
			for (const name of sliceNames(place)) remove("EndpointSlice", { ...place, name });
			apply(anyService(dice, place));
			apply(anySliceOf(place));
		},
		// A slice becomes another Service's.
		(place) => {
			const owner = { ...anyPlace(dice), namespace: place.namespace };
			apply(anySlice(dice, owner, dice.pick(sliceNames(place))));
		},
		(place) => spoil(anyService(dice, place)),
		(place) => spoil(anySliceOf(place)),
		() => void hub.apply(steadyObjects(dice).slice(1)),
		() => void hub.apply(steadyObjects(dice).slice(1)),
		() => hub.skip(1 + dice.below(50)),
	];

	const policies = createPolicyWorld(hub, dice);

	return {
		change: () => (dice.percent(POLICIES) ? policies.change() : dice.pick(changes)(anyPlace(dice))),
		fill() {
			hub.apply(steadyObjects(dice));
			for (let count = 0; count < 60; count++) {
				const place = anyPlace(dice);
				recreate(place);
				apply(anySliceOf(place));
				apply(anySliceOf(place));
			}
			policies.fill();
		},
		refillSteady: () => void hub.apply(steadyObjects(dice)),
		backup() {
			const served = KINDS.filter((kind) => isServed(hub, kind));
			const objects = served.flatMap((kind) => hub.list(kind).map((object) => ({ kind, object })));
			const own = objects.filter(({ object }) => object.metadata.namespace !== "default");
			return () => {
				for (const { kind, object } of own) hub.put(kind, object);
			};
		},
	};
}

function addressesOf(spec: unknown): Fields {
	const { clusterIP, clusterIPs } = Object(spec);
	return { clusterIP, clusterIPs };
}
