// How much the maps hold: the one place that says it besides bpf/maps.h.

/** Limits of one datapath; tests use tiny ones. */
export interface Capacity {
	/** Frontend ids run from 1 to this. `frontends`, `names` and `frontend_stats` have one element more. */
	readonly frontends: number;
	/** Backend ids run from 1 to this. `backends` and `backend_stats` have one element more. */
	readonly backends: number;
	/** Slots run from 0 to one less than this. */
	readonly slots: number;
	/** Elements of `addresses`. */
	readonly addresses: number;
}

/** Clients of all frontends with session affinity together; who has not connected for the longest time is forgotten. */
export const AFFINITIES = 16_384;

/** Identities of all redirects' backends together. */
export const GUARDS = 16_384;

/** What bpf/maps.h declares. */
export const CAPACITY: Capacity = { frontends: 65_535, backends: 131_071, slots: 524_288, addresses: 65_536 };
