// What several cases of one row do together, once: stopping an agent under all of them.

export interface Meeting {
	/** Waits for all the others that are still there; the last one to come does it, and all go on. Rejects for all if it fails. */
	together(action: () => Promise<void>): Promise<void>;
	/** Does not come any more: it failed, or is through. */
	leave(): void;
}

/** For that many cases. */
export function createMeeting(members: number): Meeting {
	let present = members;
	let waiting = 0;
	let gathering = Promise.withResolvers<void>();
	let wanted: (() => Promise<void>) | undefined;

	function start(): void {
		if (wanted === undefined || waiting < present) return;
		const { resolve, reject } = gathering;
		void wanted().then(resolve, reject);
		gathering = Promise.withResolvers();
		waiting = 0;
		wanted = undefined;
	}

	return {
		together(action) {
			waiting += 1;
			wanted = action;
			const { promise } = gathering;
			start();
			return promise;
		},
		leave() {
			present -= 1;
			start();
		},
	};
}

/** For those who share the world with everybody. */
export const NO_MEETING: Meeting = {
	together: () =>
		Promise.reject(new Error("Cannot do this to the world: the row is not marked as one that has it for itself")),
	leave: () => {},
};
