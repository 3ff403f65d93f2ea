/** `npm run test:long`: every fault, for longer. */
export const isLong: boolean = process.env.COUNTERSIGN_TEST_LONG === '1'
