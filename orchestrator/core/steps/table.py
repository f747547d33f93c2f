"""Every step kind and the function that runs it: the one list to extend when a verb is added."""

from __future__ import annotations

from orchestrator.core import advance, program
from orchestrator.core.steps import branch, coupon, message, outside, people, profile_steps, wait

advance.STEPS.update(
    {
        program.WaitFor: wait.run_wait_time,
        program.WaitUntilTime: wait.run_wait_time,
        program.WaitUntilDate: wait.run_wait_time,
        program.WaitWindow: wait.run_wait_time,
        program.WaitSomething: wait.run_wait_something,
        program.Choose: branch.run_choose,
        program.Do: branch.run_do,
        program.Split: branch.run_split,
        program.Repeat: branch.run_repeat,
        program.RepeatAgain: branch.run_repeat_again,
        program.Goto: branch.run_goto,
        program.Leave: branch.run_leave,
        program.Send: message.run_send,
        program.Survey: people.run_survey,
        program.OpenTask: people.run_task,
        program.Fetch: outside.run_fetch,
        program.Webhook: outside.run_webhook,
        program.IssueCoupon: coupon.run_coupon,
        program.SetAttributes: profile_steps.run_set,
        program.Tag: profile_steps.run_tag,
        program.SetStage: profile_steps.run_stage,
        program.AddScore: profile_steps.run_score,
        program.Track: profile_steps.run_track,
        program.Enroll: profile_steps.run_enroll,
        program.Unenroll: profile_steps.run_unenroll,
    }
)
