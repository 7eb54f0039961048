// Writing without end to a reader that may be slow or gone: what it does not take is dropped and counted, not kept in memory.

/** What a writable stream of Node has of this. */
export interface Sink {
	/** False: it was kept in memory, and more should wait for "drain". */
	write(text: string): boolean;
	on(event: "drain", listener: () => void): unknown;
}

export interface LossyOptions {
	/** Bytes kept in memory at the most, not counting the line that goes over it. */
	readonly limit: number;
	/** After lines were dropped and the reader has caught up. */
	readonly onDropped: (lines: number) => void;
}

/** A function that writes whole lines. */
export function createLossyOutput(sink: Sink, { limit, onDropped }: LossyOptions): (line: string) => void {
	let kept = 0;
	let dropped = 0;
	sink.on("drain", () => {
		kept = 0;
		const lines = dropped;
		dropped = 0;
		if (lines > 0) onDropped(lines);
	});
	return (line) => {
		if (kept > limit) dropped += 1;
		else if (!sink.write(line)) kept += line.length;
	};
}
