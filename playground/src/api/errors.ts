//! What can go wrong between the page and the server, in words that say what to do.

export interface Place {
  line: number;
  column: number;
}

/** An error of an answer, as the server writes it. */
export interface GraphQLFault {
  message: string;
  locations?: Place[];
  path?: (string | number)[];
  extensions?: { code?: string; retryable?: boolean; requestId?: string; inputPath?: (string | number)[] };
}

/** No answer came: the message is a sentence for the person in front of the page. */
export class NoAnswer extends Error {
  constructor(cause?: unknown) {
    super('The server does not answer. What you wrote is kept here: run it again when the server is back.', { cause });
  }
}

/** An answer came that is not one of Vivarium's. */
export class StrangeAnswer extends Error {
  constructor(status: number, text: string) {
    const begin = text.trim().slice(0, 120);
    super(`The answer (status ${status}) is not JSON${begin ? `: ${begin}` : '.'}`);
  }
}

/** The control plane refused a request. */
export class AdminFault extends Error {
  constructor(readonly faults: GraphQLFault[]) {
    super(faults.map(fault => fault.message).join(' '));
  }
}

/** Whether a request ended because somebody cancelled it. */
export const isCancelled = (error: unknown): boolean => error instanceof DOMException && error.name === 'AbortError';

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
