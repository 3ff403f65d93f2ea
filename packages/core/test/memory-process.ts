// Makes a memory store, in the process itself or in two workers of node:cluster, and ends. What it prints is Node's own.
import cluster from 'node:cluster'
import { memoryReplay } from '@countersign/core'

if (process.argv.includes('cluster') && cluster.isPrimary) {
  cluster.fork()
  cluster.fork()
} else {
  for (let round = 0; round < 3; round += 1) memoryReplay()
  cluster.worker?.disconnect()
}
