/** What is remembered of objects, such as requests. */
export interface Memory<V> {
  /** What was set on this very object. */
  of(object: object): V | undefined
  set(object: object, value: V): void
}

/** Hands back the object it gets: a class that extends it puts its private field on that object. */
class OnObject {
  constructor(object: object) {
    // biome-ignore lint/correctness/noConstructorReturn: that is what it is for.
    return object
  }
}

/**
 * Remembers something in a private field of each object: nothing else can read, set, inherit or copy it, and no dump of the
 * object shows it. As a `WeakMap` does, for a fraction of its price: the collector has to follow each entry of a map.
 */
export function rememberOn<V>(): Memory<V> {
  class Remembered extends OnObject {
    #value: V | undefined

    static of(object: object): V | undefined {
      return #value in object ? object.#value : undefined
    }

    static set(object: object, value: V): void {
      const holder = #value in object ? object : (new Remembered(object) as Remembered)
      holder.#value = value
    }
  }
  return { of: Remembered.of, set: Remembered.set }
}
