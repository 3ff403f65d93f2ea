export {
  replayStoreContract,
  replayStoreContract as replayContract,
} from '../../packages/testing/src/contracts/replay-store.js'
