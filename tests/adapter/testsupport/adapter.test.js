// The same suite for debugpy's adapter and for ours, over Microsoft's own test client.
// PYTHON and ADAPTER say which one is started; test_testsupport.py runs it for both.

'use strict';

const assert = require('assert');
const fs = require('fs');
const path = require('path');
const { DebugClient } = require('@vscode/debugadapter-testsupport');

const { PYTHON, ADAPTER } = process.env;
const TIMEOUT = 15000;

function program(name) {
    return path.join(__dirname, '..', '..', 'programs', name);
}

function line(file, mark) {
    const lines = fs.readFileSync(file, 'utf8').split('\n');
    const found = lines.findIndex((text) => text.endsWith(`# @${mark}`));
    assert.notEqual(found, -1, `no line of ${file} is marked @${mark}`);
    return found + 1;
}

function launching(file, more = {}) {
    return { program: file, console: 'internalConsole', ...more };
}

describe('a Python debug adapter', function () {
    this.timeout(2 * TIMEOUT);
    let client;

    beforeEach(() => {
        client = new DebugClient(PYTHON, ADAPTER, 'graphdebug');
        client.defaultTimeout = TIMEOUT;
        return client.start();
    });

    afterEach(() => client.stop());

    async function locals(frameId) {
        const scopes = (await client.scopesRequest({ frameId })).body.scopes;
        const { variablesReference } = scopes.find((scope) => scope.name === 'Locals');
        const { variables } = (await client.variablesRequest({ variablesReference })).body;
        return Object.fromEntries(variables.map((variable) => [variable.name, variable]));
    }

    describe('before launch', () => {
        it('says what it can do', async () => {
            const { body } = await client.initializeRequest();
            assert(body.supportsConfigurationDoneRequest);
            assert(body.supportsConditionalBreakpoints);
            assert(body.supportsEvaluateForHovers);
            const filters = body.exceptionBreakpointFilters.map((item) => item.filter);
            assert.deepEqual(filters.slice(0, 3), ['raised', 'uncaught', 'userUnhandled']);
        });

        it('refuses an unknown request', async () => {
            await client.initializeRequest();
            await assert.rejects(client.send('illegal_request'));
        });
    });

    describe('with a program', () => {
        const loop = program('loop.py');

        it('stops at a breakpoint, shows locals, and runs to the end', async () => {
            await client.initializeRequest();
            const launched = client.launchRequest(launching(loop));
            await client.waitForEvent('initialized');
            const { body } = await client.setBreakpointsRequest({
                source: { path: loop },
                breakpoints: [{ line: line(loop, 'second'), condition: 'first == 4' }],
            });
            assert.equal(body.breakpoints[0].verified, true);
            const stopping = client.waitForEvent('stopped');
            await client.configurationDoneRequest();
            await launched;
            const stopped = await stopping;
            assert.equal(stopped.body.reason, 'breakpoint');
            const { threadId } = stopped.body;
            const { stackFrames } = (await client.stackTraceRequest({ threadId })).body;
            assert.equal(stackFrames[0].line, line(loop, 'second'));
            assert.equal((await locals(stackFrames[0].id)).first.value, '4');
            const { id: frameId } = stackFrames[0];
            const answer = await client.evaluateRequest({ expression: 'first * 2', frameId });
            assert.equal(answer.body.result, '8');
            const ended = client.waitForEvent('terminated');
            const output = client.assertOutput('stdout', 'result 20 20\n');
            await client.continueRequest({ threadId });
            await Promise.all([output, ended]);
        });

        it('hits a breakpoint (helper)', () =>
            client.hitBreakpoint(launching(loop), { path: loop, line: line(loop, 'step') }));

        it('stops on entry (helper)', () =>
            Promise.all([
                client.configurationSequence(),
                client.launch(launching(loop, { stopOnEntry: true })),
                client.assertStoppedLocation('entry', { path: loop, line: 1 }),
            ]));

        it('runs to the end (helper)', () =>
            Promise.all([
                client.configurationSequence(),
                client.launch(launching(loop)),
                client.waitForEvent('terminated'),
            ]));

        it('steps in, over and out', async () => {
            const call = { path: loop, line: line(loop, 'call') };
            await client.hitBreakpoint(launching(loop), call);
            const threadId = (await client.threadsRequest()).body.threads[0].id;
            const steps = [
                ['stepInRequest', 'step'],
                ['nextRequest', 'second'],
                ['stepOutRequest', 'call'],
            ];
            for (const [step, mark] of steps) {
                const at = { path: loop, line: line(loop, mark) };
                const arrived = client.assertStoppedLocation('step', at);
                await client[step]({ threadId });
                await arrived;
            }
        });
    });

    it('stops at an exception that nobody handles', async () => {
        const errors = program('errors.py');
        await client.initializeRequest();
        const launched = client.launchRequest(launching(errors));
        await client.waitForEvent('initialized');
        await client.setExceptionBreakpointsRequest({ filters: ['uncaught'] });
        const arrived = client.assertStoppedLocation('exception', {
            path: errors,
            line: line(errors, 'uncaught'),
        });
        await client.configurationDoneRequest();
        await Promise.all([launched, arrived]);
        const threadId = (await client.threadsRequest()).body.threads[0].id;
        const { body } = await client.exceptionInfoRequest({ threadId });
        assert.equal(body.exceptionId, 'RuntimeError');
    });

    it('pauses a program that runs', async () => {
        const ready = client.assertOutput('stdout', 'ready\n');
        await Promise.all([
            client.configurationSequence(),
            client.launch(launching(program('waits.py'))),
            ready,
        ]);
        const paused = client.waitForEvent('stopped');
        await client.pauseRequest({ threadId: 1 });
        assert.equal((await paused).body.reason, 'pause');
    });
});
