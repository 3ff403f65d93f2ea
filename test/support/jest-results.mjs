/**
 * What Jest's JSON results say, as one line that CI can read. A file that could not be run counts as a failure, and
 * so does a skipped test: `problem` then says why the run is not a success although nothing failed.
 */
export function summarise(results, { filtered = false } = {}) {
  const passed = results.numPassedTests
  const failed = results.numFailedTests + results.numRuntimeErrorTestSuites
  const skipped = results.numPendingTests + results.numTodoTests
  let problem
  if (passed + failed === 0) problem = 'no test was run'
  else if (skipped > 0 && !filtered) problem = `${skipped} skipped: a test that does not run proves nothing`
  const slowest = results.testResults
    .map(({ name, startTime, endTime }) => ({ name, seconds: (endTime - startTime) / 1000 }))
    .sort((one, other) => other.seconds - one.seconds)
  return { passed, failed, skipped, problem, slowest, line: `${passed} passed, ${failed} failed` }
}

/** Jest's arguments taken apart: whether they name files, and whether they pick tests by title. */
export function readArguments(args) {
  const picksTitle = (word) => word === '-t' || word.startsWith('--testNamePattern')
  const takesValue = (word) =>
    /^-[ct]$/.test(word) || /^--(testNamePattern|maxWorkers|testTimeout|config|shard)$/.test(word)
  const names = args.filter((word, i) => !word.startsWith('-') && !(i > 0 && takesValue(args[i - 1])))
  return {
    namesFiles: names.length > 0,
    filtered: args.some(picksTitle),
    setsConfig: args.some((word) => /^(-c|--config(=.*)?)$/.test(word)),
    setsWorkers: args.some((word) => /^(-w|-i|--runInBand|--maxWorkers(=.*)?)$/.test(word)),
  }
}
