// A user's mistake as data: it names the object, the field, the fact and the fix, and stops nobody else.

/** Why an object, or a part of it, is not programmed. */
export type ProblemReason =
	| "Unreadable" // a file cannot be read
	| "InvalidYaml" // a document is not YAML
	| "InvalidObject" // an object breaks its schema
	| "Duplicate" // two documents of one source declare the same object
	| "FrontendConflict" // two objects claim one frontend address
	| "Unsupported" // valid in Kubernetes, not here
	| "TooLarge" // over a documented limit
	| "Forbidden" // a hub does not let us read a kind
	| "NotServed" // a hub does not have a kind
	| "Unreachable" // there is no way to some endpoints
	| "ServiceNotFound" // a policy names a Service that is not there, or has no cluster IP
	| "PortsDoNotMatch" // a policy's port has no partner, or its Service no such port
	| "NoBackends" // a policy leads nowhere
	| "HostPortMissing" // a pod does not have the hostPort that a policy leads to
	| "Unguarded" // a redirect cannot tell its own backend from its clients
	| "Refused" // the agent is told not to do it
	| "Doubtful"; // a hub took so much away that it is asked again

/** One problem of one object, for a log line, a condition and a metric. */
export interface Problem {
	/** `Service demo/web`, or the file's path where no object could be read. */
	readonly object: string;
	/** Where it stands: `FILE:LINE` if it came from a file, else its hub if there are several. */
	readonly source?: string;
	/** The path of the field, `spec.ports[0].port`. */
	readonly field?: string;
	readonly reason: ProblemReason;
	/** The fact and the fix, one sentence without a full stop. */
	readonly message: string;
}
