export type { Principal } from '@countersign/core'
export { principalOf } from '@countersign/core'
export type { McpOAuthTokenVerifier, VerifierOptions } from './as-oauth-token-verifier.js'
export { asOAuthTokenVerifier } from './as-oauth-token-verifier.js'
export type { AgentClient, ClientConfig, ClientConfigOptions, HandedCredential } from './clients/client-config.js'
export { toClientConfig } from './clients/client-config.js'
export { readCredentialFile, writeCredentialFile } from './clients/credential-file.js'
export type { McpCredentials, McpCredentialsOptions } from './create-mcp-credentials.js'
export { createMcpCredentials } from './create-mcp-credentials.js'
export { discoveryGuard } from './discovery-guard.js'
export type { McpAuthInfo } from './gate/auth-info.js'
export type { ToolRules } from './gate/tools.js'
export type { IssueOptions } from './issue-options.js'
export { IssueRefusedError } from './issue-refused-error.js'
export type { IssuedCredential } from './issued-credential.js'
export type { LifeOptions } from './life.js'
export type { RequireMcpCredentialOptions } from './options.js'
export type { McpCredentialPrincipal } from './principal.js'
export type { McpCredentialDependency, McpCredentialReason } from './reasons.js'
export type { McpCredentialGate } from './require-mcp-credential.js'
export { requireMcpCredential } from './require-mcp-credential.js'
export type { IsAlive, Resolution } from './resolve-credential.js'
export { LivenessError } from './resolve-credential.js'
export type { MemoryCredentialStore, MemoryCredentialsOptions } from './stores/memory.js'
export { memoryCredentials } from './stores/memory.js'
export type {
  CredentialLife,
  CredentialRecord,
  FoundCredential,
  IssueOutcome,
  ListFilter,
  ListPage,
  McpCredentialStore,
  NewCredential,
  OnExisting,
  RevocableScope,
  Standing,
} from './stores/store.js'
