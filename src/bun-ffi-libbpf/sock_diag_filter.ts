// inet_diag's own small language (struct inet_diag_bc_op): here only "connected to one of these".

export interface Destination {
	/** 4 or 16 bytes; 4 match v4-mapped addresses of IPv6 sockets, too. */
	readonly ip: Uint8Array;
	readonly port: number;
}

const JUMP = 1;
const DESTINATION = 8;
const OP_SIZE = 4;
/** struct inet_diag_hostcond without the address. */
const CONDITION_SIZE = 8;
const FAMILIES: Readonly<Record<number, number>> = { 4: 2, 16: 10 };
/** Jumps are 16 bits wide. */
const MOST = 256;

function sizeOf({ ip }: Destination): number {
	return OP_SIZE + CONDITION_SIZE + ip.length;
}

/**
 * One condition after the other. Where one holds, a jump leads to the end, which is "yes"; where the last one does not, it
 * leads beyond it, which is "no". Undefined if there are too many: then all are listed. Throws a RangeError if an address is
 * not 4 or 16 bytes long.
 */
export function destinationFilter(destinations: readonly Destination[]): Uint8Array | undefined {
	if (destinations.length === 0 || destinations.length > MOST) return undefined;
	const total = destinations.reduce((sum, each) => sum + sizeOf(each) + OP_SIZE, -OP_SIZE);
	const view = new DataView(new ArrayBuffer(total));
	let at = 0;
	for (const [index, destination] of destinations.entries()) {
		const { ip, port } = destination;
		const family = FAMILIES[ip.length];
		if (family === undefined) throw new RangeError(`An address is 4 or 16 bytes, not ${ip.length}`);
		const size = sizeOf(destination);
		view.setUint8(at, DESTINATION);
		view.setUint8(at + 1, size);
		view.setUint16(at + 2, size + OP_SIZE, true);
		view.setUint8(at + OP_SIZE, family);
		view.setUint8(at + OP_SIZE + 1, ip.length * 8);
		view.setInt32(at + OP_SIZE + 4, port, true);
		new Uint8Array(view.buffer).set(ip, at + OP_SIZE + CONDITION_SIZE);
		at += size;
		if (index === destinations.length - 1) break;
		view.setUint8(at, JUMP);
		view.setUint8(at + 1, OP_SIZE);
		view.setUint16(at + 2, total - at, true);
		at += OP_SIZE;
	}
	return new Uint8Array(view.buffer);
}
