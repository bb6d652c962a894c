import { listGroups, type ListGroupsRequest, type ListGroupsResponse } from '../../protocol/api/list-groups.ts';
import { groupView } from '../group-view.ts';
import type { Handler, RequestContext } from '../handler.ts';

/** Each broker lists the groups that it coordinates. */
export const listGroupsHandler: Handler<ListGroupsRequest, ListGroupsResponse> = {
  api: listGroups,
  handle: (request, context) => ({ throttleTimeMs: 0, errorCode: 0, groups: list(request, context) }),
  refuse: (_request, errorCode) => ({ throttleTimeMs: 0, errorCode, groups: [] }),
};

function list({ statesFilter, typesFilter }: ListGroupsRequest, context: RequestContext): ListGroupsResponse['groups'] {
  const { cluster, broker, version } = context;
  const passes = (filter: readonly string[], value: string): boolean => {
    return filter.length === 0 || filter.some((each) => each.toLowerCase() === value.toLowerCase());
  };
  return cluster.coordinator.all
    .filter(({ id }) => cluster.coordinatorOf(id) === broker)
    .map((group) => {
      const { state, protocol } = groupView(cluster, group.id);
      const protocolType = protocol === 'consumer' ? 'consumer' : (group.classic.generation.protocolType ?? '');
      return { groupId: group.id, protocolType, groupState: state, groupType: protocol };
    })
    .filter(({ groupState, groupType }) => passes(statesFilter, groupState) && passes(typesFilter, groupType))
    .map((group) => ({
      ...group,
      groupState: version >= 4 ? group.groupState : '',
      groupType: version >= 5 ? group.groupType : '',
    }));
}
