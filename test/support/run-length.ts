/** `npm run test:long`: each test that has a short form runs in its long one. */
export const isLong: boolean = process.env.COUNTERSIGN_TEST_LONG === '1'
