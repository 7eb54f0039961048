// What a modelled server has only so much of: a line that serves one after the other, and seats.

import type { Clock } from "../../src/lib/clock.ts";

export interface Line {
	/** Takes so many milliseconds of it. Returns the milliseconds until that is done, those before it in the line included. */
	add(milliseconds: number): number;
	/** Milliseconds until the line is empty. */
	wait(): number;
}

export function createLine(clock: Clock): Line {
	let free = 0;
	return {
		add(milliseconds) {
			free = Math.max(free, clock.now()) + milliseconds;
			return free - clock.now();
		},
		wait: () => Math.max(0, free - clock.now()),
	};
}

export interface Guest {
	/** Seats that it takes. */
	readonly width: number;
	readonly start: () => void;
	/** False: it went away while it waited. */
	readonly isWanted: () => boolean;
}

export interface Seats {
	/** False if there is no seat, and no place to wait for one. */
	enter(guest: Guest): boolean;
	leave(width: number): void;
}

export interface Room {
	readonly seats: number;
	/** Guests that may wait. */
	readonly queue: number;
}

export function createSeats(room: () => Room): Seats {
	const waiting: Guest[] = [];
	let taken = 0;

	/** Whoever wants more than there are gets them all. */
	function sit({ width, start }: Guest): boolean {
		if (taken > 0 && taken + width > room().seats) return false;
		taken += width;
		start();
		return true;
	}

	return {
		enter(guest) {
			if (waiting.length === 0 && sit(guest)) return true;
			if (waiting.length >= room().queue) return false;
			waiting.push(guest);
			return true;
		},
		leave(width) {
			taken -= width;
			for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
				if (next.isWanted() && !sit(next)) return;
				waiting.shift();
			}
		},
	};
}
