// Names of what a test puts on the machine: they say whose it is, and that it may go.

let last = 0;

/** `balancing-test-PID-N`, never the same twice. */
export function testName(): string {
	last += 1;
	return `balancing-test-${process.pid}-${last}`;
}
