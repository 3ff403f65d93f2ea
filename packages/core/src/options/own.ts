/**
 * A member of an object that a caller made, unless it is inherited from `Object.prototype`: what a polluted prototype has
 * was said by nobody. Members of a class are read, as getters or not.
 */
export function memberOf<T extends object, K extends keyof T>(value: T, name: K): T[K] | undefined {
  return name in Object.prototype && !Object.hasOwn(value, name) ? undefined : value[name]
}
